"""The attributes network: EfficientNet-Lite0 with a logit per label, and its training."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import keras
import numpy as np
import onnx
from keras import ops
from numpy.typing import NDArray
from tqdm import tqdm

from training.faces_augment import augmented
from training.faces_data import LABELS, UNKNOWN, Faces
from training.lite0 import MEAN, STD, imagenet_weights, lite0, load_weights
from training.lite0_onnx import weights_from

INPUT_SIDE: Final = 112  # pixels
# Up to here the filters stay those of ImageNet: edges and textures need no retraining, and
# leaving them takes 40 % of the time off each step.
_FIRST_TRAINED: Final = "block3_expand_conv"
_SHARE: Final = {"smilesmiled": 0.4}  # of a source's faces in an epoch: framed unlike the rest
_RARE_WEIGHT: Final = (1.0, 4.0, 2.0)  # of a positive, by label: 1 face in 40 wears sunglasses

CHECKPOINT: Final = "last.weights.h5"  # the optimizer's state and step count included

Batch = tuple[NDArray[np.float32], NDArray[np.int8]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to train."""

    epochs: int = 6
    batch: int = 64
    peak_rate: float = 8e-4
    seed: int = 1


def attributes_network(start: Path | None = None) -> keras.Model:
    """The network, ending in logits in LABELS order.

    It has the weights of `start`, a package's ONNX file, or else those of ImageNet and a fresh
    head.
    """
    network = lite0((INPUT_SIDE, INPUT_SIDE, 3), classes=len(LABELS), dropout=0.3)
    if start is not None:
        load_weights(network, weights_from(onnx.load(start)))
        return network
    weights = imagenet_weights()
    weights["logits"] = network.get_layer("logits").get_weights()
    load_weights(network, weights)
    return network


def train(network: keras.Model, faces: Faces, schedule: Schedule, work: Path) -> Iterator[int]:
    """Trains and yields each epoch's number, from 1, once its weights are in `work`.

    A run that was stopped goes on after its last finished epoch, with the same random numbers
    as if it had not been stopped. The last epoch's number comes also if it was finished before.
    """
    steps = _epoch_size(faces) // schedule.batch
    _compile(network, schedule, steps)
    checkpoint = work / CHECKPOINT
    if checkpoint.exists():
        network.load_weights(checkpoint)
    finished = int(network.optimizer.iterations) // steps
    yield from range(finished, finished + bool(finished))
    for epoch in range(finished, schedule.epochs):
        _train_epoch(network, faces, schedule, epoch)
        partial = work / "partial.weights.h5"
        network.save_weights(partial)
        partial.replace(checkpoint)
        yield epoch + 1


def prepared(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Images as the network takes them."""
    return (images.astype(np.float32) - MEAN) / STD


def _compile(network: keras.Model, schedule: Schedule, steps: int) -> None:
    trained = False
    for layer in network.layers:
        trained = trained or layer.name == _FIRST_TRAINED
        layer.trainable = trained
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=schedule.peak_rate / 100,
        decay_steps=schedule.epochs * steps - steps // 2,
        alpha=1e-3,
        warmup_target=schedule.peak_rate,
        warmup_steps=steps // 2,
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, clipnorm=5.0)
    # Compiling for XLA takes minutes on CPUs and gains nothing there.
    network.compile(optimizer, _loss, jit_compile=False)
    optimizer.build(network.trainable_variables)


def _epoch_size(faces: Faces) -> int:
    return round(sum(_SHARE.get(source, 1.0) for source in faces.sources))


def _train_epoch(network: keras.Model, faces: Faces, schedule: Schedule, epoch: int) -> None:
    rng = np.random.default_rng((schedule.seed, epoch))
    steps = _epoch_size(faces) // schedule.batch
    shares = np.array([_SHARE.get(source, 1.0) for source in faces.sources])
    order = rng.choice(len(shares), steps * schedule.batch, replace=False, p=shares / shares.sum())
    batches = _batches(faces, order, schedule.batch, rng)
    progress = tqdm(batches, total=steps, desc=f"epoch {epoch + 1}/{schedule.epochs}", unit="step")
    shown = 0.0
    for step, (images, labels) in enumerate(progress):
        loss = float(network.train_on_batch(images, labels))
        shown += (loss - shown) / min(step + 1, 50)
        progress.set_postfix(loss=f"{shown:.4f}", refresh=False)


def _batches(
    faces: Faces, order: NDArray[np.int64], size: int, rng: np.random.Generator
) -> Iterator[Batch]:
    """Yields augmented batches, the next one being made while the last one trains."""

    def batch(chosen: NDArray[np.int64]) -> Batch:
        images = np.stack([augmented(faces.images[place], INPUT_SIDE, rng) for place in chosen])
        return prepared(images), faces.labels[chosen]

    # One thread: batches are drawn in order from one generator, so that a seed says it all.
    with ThreadPoolExecutor(max_workers=1) as pool:
        chunks = np.split(order, len(order) // size)
        coming = pool.submit(batch, chunks[0])
        for chunk in chunks[1:]:
            ready, coming = coming.result(), pool.submit(batch, chunk)
            yield ready
        yield coming.result()


def _loss(labels: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Cross-entropy over the known labels, each label's mean alone, rare positives weighted."""
    known = ops.cast(ops.not_equal(labels, UNKNOWN), "float32")
    truth = ops.cast(ops.equal(labels, 1), "float32")
    weight = known * (1 + truth * (ops.convert_to_tensor(_RARE_WEIGHT, "float32") - 1))
    # softplus(z) - y z is the cross-entropy of sigmoid(z), without overflow
    losses = weight * (ops.softplus(logits) - truth * logits)
    return ops.sum(ops.sum(losses, axis=0) / (ops.sum(known, axis=0) + 1))
