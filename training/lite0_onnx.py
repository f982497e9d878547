"""The Keras EfficientNet-Lite0 as an ONNX graph, and its weights back from one.

Written layer by layer: channels first without a transpose, which onnxruntime's convolutions want,
and weights under the layers' own names, so that training can go on from a package's file.
"""

from collections.abc import Callable
from typing import Any, Final

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.lite0 import Weights
from training.onnx_weights import weights_of

INPUT: Final = "images"  # (n, 3, height, width)

_KERNEL: Final = (3, 2, 0, 1)  # Keras: height, width, in, out; ONNX: out, in, height, width
_DEPTHWISE: Final = (2, 3, 0, 1)  # Keras: height, width, channels, 1; ONNX: channels, 1, ...

_Nodes = list[onnx.NodeProto]


def to_onnx(network: keras.Model, output: str) -> onnx.ModelProto:
    """The network in inference mode, in float32; its last layer's output is named `output`.

    Raises KeyError for a kind of layer that EfficientNet-Lite0 has not.
    """
    ends = {layer.name: _end(layer) for layer in network.layers}
    nodes: _Nodes = []
    constants: list[onnx.TensorProto] = []
    for layer in network.layers:
        if isinstance(layer, keras.layers.InputLayer):
            ends[layer.name] = INPUT
            continue
        if isinstance(layer, keras.layers.Dropout):
            ends[layer.name] = ends[_entering(layer)[0]]
            continue
        constants += [
            numpy_helper.from_array(values, f"{layer.name}/{name}")
            for name, values in _stored(layer).items()
        ]
        inputs = [ends[name] for name in _entering(layer)]
        inputs += [f"{layer.name}/{name}" for name in _stored(layer)]
        nodes += _NODES[type(layer)](layer, inputs)
    nodes.append(helper.make_node("Identity", [ends[network.layers[-1].name]], [output]))
    return _model(network, nodes, constants, output)


def weights_from(model: onnx.ModelProto) -> Weights:
    """Weights for `lite0.load_weights` from a graph that `to_onnx` made."""
    weights: Weights = {}
    for name, values in weights_of(model).items():
        layer, kind = name.split("/")
        if kind == "kernel" and values.ndim == 4:
            order = _DEPTHWISE if layer.endswith("_depthwise_conv") else _KERNEL
            values = values.transpose(np.argsort(order))
        weights.setdefault(layer, []).append(values)
    return weights


def _end(layer: keras.layers.Layer) -> str:
    return f"{layer.name}/end"


def _entering(layer: keras.layers.Layer) -> tuple[str, ...]:
    tensors = layer.input if isinstance(layer.input, list) else [layer.input]
    return tuple(tensor._keras_history.operation.name for tensor in tensors)


def _stored(layer: keras.layers.Layer) -> dict[str, NDArray[np.float32]]:
    """The layer's weights in ONNX's order of axes, by name, in ONNX's order of inputs."""
    stored = {}
    for variable, values in zip(layer.weights, layer.get_weights(), strict=True):
        if values.dtype != np.float32:
            continue  # a generator's state
        if values.ndim == 4:
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            values = values.transpose(_DEPTHWISE if depthwise else _KERNEL)
        stored[variable.name] = np.ascontiguousarray(values)
    return stored


def _convolution(layer: keras.layers.Layer, inputs: list[str]) -> _Nodes:
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    return [
        helper.make_node(
            "Conv",
            inputs,
            [_end(layer)],
            auto_pad="SAME_UPPER",
            strides=list(layer.strides),
            group=layer.input.shape[-1] if depthwise else 1,
        )
    ]


def _normalisation(layer: keras.layers.Layer, inputs: list[str]) -> _Nodes:
    return [helper.make_node("BatchNormalization", inputs, [_end(layer)], epsilon=layer.epsilon)]


def _relu6(layer: keras.layers.Layer, inputs: list[str]) -> _Nodes:
    low, high = f"{layer.name}/low", f"{layer.name}/high"
    return [
        helper.make_node("Constant", [], [low], value_float=0.0),
        helper.make_node("Constant", [], [high], value_float=float(layer.max_value)),
        helper.make_node("Clip", [*inputs, low, high], [_end(layer)]),
    ]


def _sum(layer: keras.layers.Layer, inputs: list[str]) -> _Nodes:
    return [helper.make_node("Add", inputs, [_end(layer)])]


def _mean(layer: keras.layers.Layer, inputs: list[str]) -> _Nodes:
    pooled = f"{layer.name}/map"
    return [
        helper.make_node("GlobalAveragePool", inputs, [pooled]),
        helper.make_node("Flatten", [pooled], [_end(layer)]),
    ]


def _dense(layer: keras.layers.Layer, inputs: list[str]) -> _Nodes:
    return [helper.make_node("Gemm", inputs, [_end(layer)])]


_NODES: Final[dict[type, Callable[[Any, list[str]], _Nodes]]] = {
    keras.layers.Conv2D: _convolution,
    keras.layers.DepthwiseConv2D: _convolution,
    keras.layers.BatchNormalization: _normalisation,
    keras.layers.ReLU: _relu6,
    keras.layers.Add: _sum,
    keras.layers.GlobalAveragePooling2D: _mean,
    keras.layers.Dense: _dense,
}


def _model(
    network: keras.Model, nodes: _Nodes, constants: list[onnx.TensorProto], output: str
) -> onnx.ModelProto:
    _, height, width, channels = network.input_shape
    given = ["n", channels, height or "height", width or "width"]
    _, *rest = network.output_shape
    if len(rest) == 3:
        rest = [rest[2], rest[0] or "rows", rest[1] or "columns"]
    graph = helper.make_graph(
        nodes,
        network.name,
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, given)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", *rest])],
        constants,
    )
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)])
    onnx.checker.check_model(model, full_check=True)
    return model
