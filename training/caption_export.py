"""The trained captioner as two ONNX files, and the way back from them.

What is computed once for a photo is `encoder.onnx`, one word further is `decoder.onnx`.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from keras import ops
from numpy.typing import NDArray
from onnx import compose, helper, numpy_helper

from training import lite0, lite0_onnx
from training.caption_network import Decoder
from training.caption_speaker import Look, Step
from training.onnx_weights import store_in_half, weights_of

OPSET = 17
IR_VERSION = 10
MEMORY_AND_STATE = ("values", "keys", "hidden", "cell")

_EYE = "eye/"  # begins the names of the encoder's convolutional part


def export(eye: keras.Model, decoder: Decoder, folder: Path, *, half: bool = True) -> None:
    """Writes both files; needs Keras on TensorFlow, and a decoder that computes in float32.

    Weights are stored in 16 bits with `half`, else in 32.

    encoder: images (n, 3, 224, 224) to values, keys, hidden and cell. decoder: words (n, beams) and
    those four to log_probabilities and candidates (n, beams, CANDIDATES), next_hidden, next_cell,
    attention (n, beams, places).
    """
    import tensorflow as tf

    _, rows, columns, channels = eye.output.shape
    look = Look(decoder)

    def looked(maps: Any) -> dict[str, Any]:
        places = ops.reshape(ops.transpose(maps, (0, 2, 3, 1)), (-1, rows * columns, channels))
        return dict(zip(MEMORY_AND_STATE, look(places), strict=True))

    maps = tf.TensorSpec((None, channels, rows, columns), tf.float32, "maps")
    convolutions = compose.add_prefix(
        lite0_onnx.to_onnx(eye, "maps"), _EYE, rename_inputs=False, rename_outputs=False
    )
    encoder = compose.merge_models(
        convolutions, _graph(looked, (maps,), decoder), io_map=[("maps", "maps")]
    )
    stored = store_in_half if half else _as_they_are
    onnx.save(stored(encoder), folder / "encoder.onnx")
    step = _graph(one_word(decoder), step_inputs(decoder, rows * columns), decoder)
    onnx.save(stored(step), folder / "decoder.onnx")


def one_word(decoder: Decoder) -> Any:
    """The function of `decoder.onnx`."""
    step = Step(decoder)

    def write(words: Any, values: Any, keys: Any, hidden: Any, cell: Any) -> dict[str, Any]:
        names = ("log_probabilities", "candidates", "next_hidden", "next_cell", "attention")
        return dict(zip(names, step(words, values, keys, hidden, cell), strict=True))

    return write


def step_inputs(decoder: Decoder, places: int) -> tuple[Any, ...]:
    """What goes into `one_word`'s function, as TensorFlow's specifications."""
    import tensorflow as tf

    units, attention = decoder.size.units, decoder.size.attention
    return (
        tf.TensorSpec((None, None), tf.int64, "words"),
        tf.TensorSpec((None, places, units), tf.float32, "values"),
        tf.TensorSpec((None, places, attention), tf.float32, "keys"),
        tf.TensorSpec((None, None, units), tf.float32, "hidden"),
        tf.TensorSpec((None, None, units), tf.float32, "cell"),
    )


def restore(folder: Path, eye: keras.Model, decoder: Decoder) -> None:
    """Sets the weights of both parts from a package's files; KeyError if one is missing.

    A decoder with more words than the package keeps its own weights for those.
    """
    encoder = onnx.load(folder / "encoder.onnx")
    found = weights_of(encoder) | weights_of(onnx.load(folder / "decoder.onnx"))
    for variable in _weights(decoder):
        theirs, ours = found[variable.path], np.asarray(variable)
        variable.assign(np.concatenate([theirs, ours[len(theirs) :]]))
    convolutions = [weight for weight in encoder.graph.initializer if weight.name.startswith(_EYE)]
    for weight in convolutions:
        weight.name = weight.name.removeprefix(_EYE)
    del encoder.graph.initializer[:]
    encoder.graph.initializer.extend(convolutions)
    lite0.load_weights(eye, lite0_onnx.weights_from(encoder))


def _as_they_are(model: onnx.ModelProto) -> onnx.ModelProto:
    return model


def _weights(decoder: Decoder) -> list[keras.Variable]:
    """All but the states of random generators."""
    return [variable for variable in decoder.weights if variable.trainable]


def _graph(function: Any, inputs: tuple[Any, ...], decoder: Decoder) -> onnx.ModelProto:
    import tensorflow as tf
    import tf2onnx

    traced = tf.function(function, input_signature=inputs, autograph=False)
    model: onnx.ModelProto
    model, _ = tf2onnx.convert.from_function(traced, inputs, opset=OPSET)
    for variable in _weights(decoder):
        _rename(model.graph, np.asarray(variable), variable.path)
    model.ir_version = IR_VERSION
    return model


def _rename(graph: onnx.GraphProto, values: NDArray[np.float32], name: str) -> None:
    """Gives a weight its Keras name; where it is also stored turned, turns it on loading."""
    for weight in list(graph.initializer):
        stored = numpy_helper.to_array(weight)
        if np.array_equal(stored, values):
            for node in graph.node:
                node.input[:] = [name if given == weight.name else given for given in node.input]
            weight.name = name
        elif values.ndim == 2 and np.array_equal(stored, values.T):
            graph.node.insert(0, helper.make_node("Transpose", [name], [weight.name], perm=[1, 0]))
            graph.initializer.remove(weight)
