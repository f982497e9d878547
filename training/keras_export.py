"""A Keras file of one's own as an ONNX file, weights in 16 bits."""

from __future__ import annotations

from pathlib import Path

import keras
import onnx
import tensorflow as tf
import tf2onnx

from training.onnx_weights import store_in_half

OPSET = 17


def export(source: Path, path: Path) -> None:
    """Converts a `.keras` or `.h5` file; a sigmoid at its end is left out, so it answers logits.

    Inputs and outputs keep their names. Code in the file (Lambda layers) is not run: raises
    ValueError for it, as Keras does.
    """
    network = keras.saving.load_model(source, compile=False, safe_mode=True)
    last = network.layers[-1]
    if getattr(last, "activation", None) is keras.activations.sigmoid:
        last.activation = keras.activations.linear
    inputs = tuple(
        tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, tensor.name)
        for tensor in network.inputs
    )
    function = tf.function(
        lambda *given: network(given[0] if len(given) == 1 else list(given), training=False),
        input_signature=inputs,
    )
    model, _ = tf2onnx.convert.from_function(function, inputs, opset=OPSET)
    onnx.save(store_in_half(model), path)
