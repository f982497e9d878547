"""MTCNN's networks in Keras, from their ONNX files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import onnx
from keras import layers
from numpy.typing import NDArray

from training.onnx_weights import weights_of

_Weights = list[NDArray[np.float32]]


def face_network(path: Path) -> keras.Model:
    """The network with its inputs and outputs as they are, channels first; inside they are last.

    Raises KeyError for a kind of node that MTCNN has not.
    """
    graph = onnx.load(path).graph
    weights = weights_of(onnx.load(path))
    (given,) = graph.input
    shape = [axis.dim_value or None for axis in given.type.tensor_type.shape.dim[1:]]
    images = keras.Input(shape, name=given.name)
    ends = {given.name: layers.Permute((2, 3, 1))(images)}
    for node in graph.node:
        if node.op_type == "Cast":
            continue  # of a weight
        attributes = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        values = [weights[name] for name in node.input[1:]]
        ends[node.output[0]] = _LAYERS[node.op_type](ends[node.input[0]], values, attributes)
    return keras.Model(
        images, {output.name: _channels_first(ends[output.name]) for output in graph.output}
    )


def _channels_first(x: Any) -> Any:
    return layers.Permute((3, 1, 2))(x) if len(x.shape) == 4 else x


def _convolution(x: Any, weights: _Weights, _: dict[str, Any]) -> Any:
    kernel, bias = weights
    layer = layers.Conv2D(kernel.shape[0], kernel.shape[2:])
    return _with(layer, x, [kernel.transpose(2, 3, 1, 0), bias])


def _dense(x: Any, weights: _Weights, _: dict[str, Any]) -> Any:
    kernel, bias = weights
    return _with(layers.Dense(len(bias)), x, [kernel.T, bias])


def _leak(x: Any, weights: _Weights, _: dict[str, Any]) -> Any:
    (slopes,) = weights
    layer = layers.PReLU(shared_axes=[1, 2] if len(x.shape) == 4 else None)
    shape = (1, 1, -1) if len(x.shape) == 4 else (-1,)
    return _with(layer, x, [slopes.reshape(shape)])


def _largest(x: Any, _: _Weights, attributes: dict[str, Any]) -> Any:
    size, stride = attributes["kernel_shape"][0], attributes["strides"][0]
    # The last window may stick out, by one, on the far side: what "same" does in that case only.
    exact = x.shape[1] is not None and (x.shape[1] - size) % stride == 0
    return layers.MaxPooling2D(size, stride, "valid" if exact else "same")(x)


def _columns(x: Any, _: _Weights, attributes: dict[str, Any]) -> Any:
    # From channels first, [0, 3, 2, 1] is by columns; from channels last that is another order.
    if list(attributes["perm"]) != [0, 3, 2, 1]:
        raise ValueError("only a map's columns are known how to be taken")
    return layers.Permute((2, 1, 3))(x)


def _with(layer: keras.layers.Layer, x: Any, weights: _Weights) -> Any:
    found = layer(x)
    layer.set_weights(weights)
    return found


_LAYERS: Final[dict[str, Callable[[Any, _Weights, dict[str, Any]], Any]]] = {
    "Conv": _convolution,
    "PRelu": _leak,
    "MaxPool": _largest,
    "Transpose": _columns,
    "Flatten": lambda x, *_: layers.Flatten()(x),
    "Gemm": _dense,
    "Sigmoid": lambda x, *_: layers.Activation("sigmoid")(x),
    "Identity": lambda x, *_: x,
}
