"""The attributes network: EfficientNet-Lite0 with a logit per label, and what it learns by."""

from pathlib import Path
from typing import Final

import keras
import numpy as np
import onnx
from keras import ops
from numpy.typing import NDArray

from training.faces_augment import reframed
from training.faces_data import LABELS, UNKNOWN, Faces
from training.lite0 import MEAN, STD, imagenet_weights, lite0, load_weights
from training.lite0_onnx import weights_from

_AT_ONCE: Final = 128
# Of a layer's statistics after each batch: an epoch of few faces ends with its own ones, not with
# those of its first steps.
_REMEMBERED: Final = 0.95


def attributes_network(side: int | None, start: Path | None = None) -> keras.Model:
    """The network for faces of `side` pixels, or any, ending in logits in LABELS order.

    It has the weights of `start`, a package's ONNX file, or else those of ImageNet and a fresh
    head.
    """
    network = lite0((side, side, 3), classes=len(LABELS), dropout=0.3)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _REMEMBERED
    if start is not None:
        load_weights(network, weights_from(onnx.load(start)))
        return network
    weights = imagenet_weights()
    weights["logits"] = network.get_layer("logits").get_weights()
    load_weights(network, weights)
    return network


def prepared(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Images as the network takes them."""
    return (images.astype(np.float32) - MEAN) / STD


def scored(network: keras.Model, faces: Faces, side: int) -> NDArray[np.float32]:
    """Logits (faces, labels) of the faces, scaled to `side` pixels."""
    parts = []
    for at in range(0, len(faces.names), _AT_ONCE):
        crops = [reframed(face, side) for face in faces.images[at : at + _AT_ONCE]]
        images = prepared(np.stack(crops))
        logits = ops.convert_to_numpy(network(images, training=False))
        parts.append(logits)
    return np.concatenate(parts)


def losses(
    targets: keras.KerasTensor,
    logits: keras.KerasTensor,
    rare: tuple[float, ...],
    focus: float = 0.0,
    smoothing: float = 0.0,
) -> keras.KerasTensor:
    """Cross-entropy over the known labels, each label's mean alone, summed.

    Positives weigh as `rare` says by label; with `focus`, what is learnt already weighs less
    (Lin et al., 2017). Targets move towards 1/2 by `smoothing`.
    """
    known = ops.cast(ops.not_equal(targets, UNKNOWN), "float32")
    truth = ops.maximum(targets, 0.0)
    weight = known * (1 + truth * (ops.convert_to_tensor(rare, "float32") - 1))
    truth = truth + smoothing * (0.5 - truth)
    if focus:
        weight = weight * ops.abs(truth - ops.sigmoid(logits)) ** focus
    # softplus(z) - y z is the cross-entropy of sigmoid(z), without overflow
    each = weight * (ops.softplus(logits) - truth * logits)
    return ops.sum(ops.sum(each, axis=0) / (ops.sum(known, axis=0) + 1))
