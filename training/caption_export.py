"""The trained captioner as two ONNX files, and the way back from them.

What is computed once for a photo is `encoder.onnx`, one word further is `decoder.onnx`.
"""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from training.caption_corpus import SIDE
from training.caption_features import trunk
from training.caption_network import Decoder
from training.caption_speaker import Look, Step
from training.onnx_weights import store_in_half, weights_of

OPSET = 17


def export(eye: keras.Model, decoder: Decoder, folder: Path) -> None:
    """Writes both files; needs Keras on TensorFlow, and a decoder that computes in float32.

    encoder: photos (n, 224, 224, 3) to values, keys, hidden and cell. decoder: words (n, beams) and
    those four to log_probabilities and candidates (n, beams, CANDIDATES), next_hidden, next_cell,
    attention (n, beams, places).
    """
    import tensorflow as tf

    sight, look, step = trunk(), Look(decoder), Step(decoder)
    size, places = decoder.size, eye.output.shape[1]

    def encode(photos: tf.Tensor) -> dict[str, tf.Tensor]:
        seen = look(eye(sight(photos, training=False), training=False))
        return dict(zip(("values", "keys", "hidden", "cell"), seen, strict=True))

    def decode(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        names = ("log_probabilities", "candidates", "next_hidden", "next_cell", "attention")
        return dict(zip(names, step(*inputs), strict=True))

    photos = tf.TensorSpec((None, SIDE, SIDE, 3), tf.float32, "photos")
    _write(encode, (photos,), decoder, folder / "encoder.onnx")
    inputs = (
        tf.TensorSpec((None, None), tf.int64, "words"),
        tf.TensorSpec((None, places, size.units), tf.float32, "values"),
        tf.TensorSpec((None, places, size.attention), tf.float32, "keys"),
        tf.TensorSpec((None, None, size.units), tf.float32, "hidden"),
        tf.TensorSpec((None, None, size.units), tf.float32, "cell"),
    )
    _write(decode, inputs, decoder, folder / "decoder.onnx")


def restore(folder: Path, decoder: Decoder) -> None:
    """Sets the decoder's weights from a package's two files; KeyError if they lack one."""
    weights = weights_of(onnx.load(folder / "encoder.onnx"))
    weights |= weights_of(onnx.load(folder / "decoder.onnx"))
    for variable in _weights(decoder):
        variable.assign(weights[variable.path])


def _weights(decoder: Decoder) -> list[keras.Variable]:
    """All but the states of random generators."""
    return [variable for variable in decoder.weights if variable.trainable]


def _write(
    function: Callable[..., object], inputs: tuple[object, ...], decoder: Decoder, path: Path
) -> None:
    import tensorflow as tf
    import tf2onnx

    graph, _ = tf2onnx.convert.from_function(
        tf.function(function, input_signature=inputs, autograph=False), inputs, opset=OPSET
    )
    for variable in _weights(decoder):
        _rename(graph.graph, np.asarray(variable), variable.path)
    onnx.save(store_in_half(graph), path)


def _rename(graph: onnx.GraphProto, values: NDArray[np.float32], name: str) -> None:
    """Gives a weight its Keras name; where it is also stored turned, turns it on loading."""
    for weight in list(graph.initializer):
        stored = numpy_helper.to_array(weight)
        if np.array_equal(stored, values):
            _use(graph, weight.name, name)
            weight.name = name
        elif values.ndim == 2 and np.array_equal(stored, values.T):
            graph.node.insert(0, helper.make_node("Transpose", [name], [weight.name], perm=[1, 0]))
            graph.initializer.remove(weight)


def _use(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
