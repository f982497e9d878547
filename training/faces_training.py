"""Trains attributes networks: in epochs that can be stopped and gone on with."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.attributes_runs import HISTORY
from training.faces_augment import augmented, reframed
from training.faces_data import LABELS, UNKNOWN, Faces
from training.faces_network import losses, prepared, scored
from training.faces_sunglasses import as_sunglasses, can_wear, with_sunglasses
from training.ranking import Ranking

CHECKPOINT: Final = "last.weights.h5"  # the optimizer's state and step count included
BEST: Final = "best.weights.h5"  # of the epoch with the lowest loss on val
_SHARE: Final = {"smilesmiled": 0.4}  # of a source's faces in an epoch: coarse and grey

Targets = NDArray[np.float32]  # (faces, labels): a probability or UNKNOWN
Batch = tuple[NDArray[np.float32], Targets]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained."""

    epochs: int = 6
    batch: int = 64
    peak_rate: float = 5e-4
    decays: bool = True  # the rate: up over half an epoch, down to nothing by a cosine
    seed: int = 1
    side: int = 112  # pixels, of the network's input
    rare: tuple[float, ...] = (1.0, 4.0, 2.0)  # weight of a positive, by label
    focus: float = 0.0  # exponent of focal loss
    smoothing: float = 0.0  # how far targets move towards 1/2
    drawn: float = 0.04  # share of faces that are given sunglasses, of those that can wear them
    varied: bool = True  # whether faces are augmented
    first_trained: str | None = None  # layer from which on filters are trained; None: all


def train(
    network: keras.Model, taught: Faces, targets: Targets, val: Faces, recipe: Recipe, work: Path
) -> Iterator[dict[str, float]]:
    """Trains and yields each epoch's figures on val once its weights are in `work`.

    A run that was stopped goes on after its last finished epoch, with the same random numbers
    as if it had not been stopped.
    """
    steps = _epoch_size(taught) // recipe.batch
    _compile(network, recipe, steps)
    checkpoint, kept = work / CHECKPOINT, work / HISTORY
    if checkpoint.exists():
        network.load_weights(checkpoint)
    history: list[dict[str, float]] = json.loads(kept.read_text()) if kept.exists() else []
    yield from history
    for epoch in range(len(history), recipe.epochs):
        begun = time.process_time()
        _train_epoch(network, taught, targets, recipe, epoch)
        partial = work / "partial.weights.h5"
        network.save_weights(partial)
        found = figures(scored(network, val), val.labels)
        minutes = round((time.process_time() - begun) / 60, 1)
        history.append({"epoch": epoch + 1, **found, "CPU minutes": minutes})
        if history[-1]["loss"] == min(one["loss"] for one in history):
            network.save_weights(work / BEST)
        partial.replace(checkpoint)
        kept.write_text(json.dumps(history, indent=1) + "\n")
        yield history[-1]


def figures(logits: NDArray[np.float32], labels: NDArray[np.int8]) -> dict[str, float]:
    """Loss, and the ranking of labels of which both kinds occur, as the faces are labelled."""
    loss = losses(labels.astype(np.float32), logits, (1.0,) * len(LABELS))
    found = {"loss": float(loss)}
    for column, label in enumerate(LABELS):
        known = labels[:, column] != UNKNOWN
        ranking = Ranking(logits[known, column].astype(np.float64), labels[known, column] == 1)
        if 0 < ranking.truth.sum() < len(ranking):
            found[f"{label} AUC"] = ranking.auc(np.ones(len(ranking)))
            found[f"{label} AP"] = ranking.average_precision(np.ones(len(ranking)))
    return {name: round(value, 5) for name, value in found.items()}


def _compile(network: keras.Model, recipe: Recipe, steps: int) -> None:
    trained = recipe.first_trained is None
    for layer in network.layers:
        trained = trained or layer.name == recipe.first_trained
        layer.trainable = trained
    rate: Any = recipe.peak_rate
    if recipe.decays:
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=recipe.peak_rate / 100,
            decay_steps=recipe.epochs * steps - steps // 2,
            alpha=1e-3,
            warmup_target=recipe.peak_rate,
            warmup_steps=steps // 2,
        )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, clipnorm=5.0)

    def loss(targets: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
        return losses(targets, logits, recipe.rare, recipe.focus, recipe.smoothing)

    # Compiling for XLA takes minutes on CPUs and gains nothing there.
    network.compile(optimizer, loss, jit_compile=False)
    optimizer.build(network.trainable_variables)


def _epoch_size(faces: Faces) -> int:
    return round(sum(_SHARE.get(source, 1.0) for source in faces.sources))


def _train_epoch(
    network: keras.Model, faces: Faces, targets: Targets, recipe: Recipe, epoch: int
) -> None:
    rng = np.random.default_rng((recipe.seed, epoch))
    steps = _epoch_size(faces) // recipe.batch
    shares = np.array([_SHARE.get(source, 1.0) for source in faces.sources])
    order = rng.choice(len(shares), steps * recipe.batch, replace=False, p=shares / shares.sum())
    batches = _batches(faces, targets, order, recipe, rng)
    progress = tqdm(batches, total=steps, desc=f"epoch {epoch + 1}/{recipe.epochs}", unit="step")
    shown = 0.0
    for step, (images, wanted) in enumerate(progress):
        loss = float(network.train_on_batch(images, wanted))
        shown += (loss - shown) / min(step + 1, 50)
        progress.set_postfix(loss=f"{shown:.4f}", refresh=False)


def _batches(
    faces: Faces,
    targets: Targets,
    order: NDArray[np.int64],
    recipe: Recipe,
    rng: np.random.Generator,
) -> Iterator[Batch]:
    """Yields varied batches, the next one being made while the last one trains."""
    wearers = can_wear(faces.labels, faces.landmarks)

    def example(place: int) -> tuple[NDArray[np.uint8], Targets]:
        image, wanted = faces.images[place], targets[place]
        if wearers[place] and rng.random() < recipe.drawn:
            image = with_sunglasses(image, faces.landmarks[place], rng)
            wanted = as_sunglasses(wanted)
        if recipe.varied:
            return augmented(image, recipe.side, rng), wanted
        return reframed(image, recipe.side), wanted

    def batch(chosen: NDArray[np.int64]) -> Batch:
        images, wanted = zip(*map(example, chosen), strict=True)
        return prepared(np.stack(images)), np.stack(wanted)

    # One thread: batches are drawn in order from one generator, so that a seed says it all.
    with ThreadPoolExecutor(max_workers=1) as pool:
        chunks = np.split(order, len(order) // recipe.batch)
        coming = pool.submit(batch, chunks[0])
        for chunk in chunks[1:]:
            ready, coming = coming.result(), pool.submit(batch, chunk)
            yield ready
        yield coming.result()
