"""Trains attributes networks, in runs that can be stopped at any time and gone on with."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training.attributes_runs import HISTORY
from training.begun import begin, digest
from training.faces_batches import Targets, batches, steps_of
from training.faces_data import LABELS, UNKNOWN, Faces
from training.faces_network import losses, scored
from training.faces_recipe import Recipe
from training.ranking import Ranking

CHECKPOINT: Final = "last.weights.h5"  # the optimizer's state and step count included
BEST: Final = "best.weights.h5"  # of the epoch with the lowest loss on val
Told: TypeAlias = tuple[Sequence[str], NDArray[np.int8]]  # faces' names and labels
_SPENT: Final = "spent.json"  # CPU minutes of the epoch that the checkpoint is in


def train(
    network: keras.Model, taught: Faces, targets: Targets, val: Faces, recipe: Recipe, work: Path
) -> Iterator[dict[str, float]]:
    """Trains and yields each epoch's figures on val once its weights are in `work`.

    A run that was stopped goes on after the last step that it kept, with the same random numbers
    as if it had not been stopped. Raises ValueError if `work` holds one of another recipe or of
    other labels.
    """
    begin_run((taught.names, taught.labels), (val.names, val.labels), recipe, work)
    _compile(network, recipe, steps_of(taught, recipe))
    kept = work / HISTORY
    if (work / CHECKPOINT).exists():
        network.load_weights(work / CHECKPOINT)
    history: list[dict[str, float]] = json.loads(kept.read_text()) if kept.exists() else []
    yield from history
    for epoch in range(len(history), recipe.all_epochs):
        keep = _keeper(network, work)
        _train_epoch(network, taught, targets, recipe, epoch, keep)
        found = figures(scored(network, val, recipe.side), val.labels)
        history.append({"epoch": epoch + 1, **found, "CPU minutes": round(keep(), 1)})
        if history[-1]["loss"] == min(one["loss"] for one in history):
            network.save_weights(work / BEST)
        written = kept.with_suffix(".partial")
        written.write_text(json.dumps(history, indent=1) + "\n")
        written.replace(kept)
        (work / _SPENT).unlink()
        yield history[-1]


def begin_run(taught: Told, val: Told, recipe: Recipe, work: Path) -> None:
    """Raises ValueError if `work` holds a run of another recipe or of other labels."""
    told = asdict(recipe)
    del told["again"], told["kept_every"]  # a run may get a second cycle when the first is done
    labels = {"labels learnt": taught, "labels of val": val}
    digests = {key: digest([*names, said.tobytes()]) for key, (names, said) in labels.items()}
    begin(work, {"recipe": told} | digests)


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
    rate: Any = _Rate(recipe, steps) if recipe.decays else recipe.peak_rate
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, clipnorm=5.0)

    def loss(targets: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
        return losses(targets, logits, recipe.rare, recipe.focus, recipe.smoothing)

    # Compiling for XLA takes minutes on CPUs and gains nothing there.
    network.compile(optimizer, loss, jit_compile=False)
    optimizer.build(network.trainable_variables)


class _Rate(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Up over half an epoch and down to nothing by a cosine; and once more, half as high."""

    def __init__(self, recipe: Recipe, steps: int) -> None:
        self._first = recipe.epochs * steps
        self._cycles = (
            _cycle(recipe.peak_rate, self._first, steps),
            _cycle(recipe.peak_rate / 2, max(recipe.again, 1) * steps, steps),
        )

    def __call__(self, step: Any) -> Any:
        once, again = self._cycles
        later = keras.ops.maximum(step - self._first, 0)
        return keras.ops.where(step < self._first, once(step), again(later))


def _cycle(peak: float, length: int, steps: int) -> Any:
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / 100,
        decay_steps=length - steps // 2,
        alpha=1e-3,
        warmup_target=peak,
        warmup_steps=steps // 2,
    )


def _keeper(network: keras.Model, work: Path) -> Callable[[], float]:
    """What keeps the network as it is, and tells the CPU minutes of the epoch, stops included."""
    spent = work / _SPENT
    before = float(json.loads(spent.read_text())) if spent.exists() else 0.0
    begun = time.process_time()

    def keep() -> float:
        minutes = before + (time.process_time() - begun) / 60
        partial = work / "partial.weights.h5"
        network.save_weights(partial)
        spent.write_text(json.dumps(minutes))
        partial.replace(work / CHECKPOINT)
        return minutes

    return keep


def _train_epoch(
    network: keras.Model,
    faces: Faces,
    targets: Targets,
    recipe: Recipe,
    epoch: int,
    keep: Callable[[], float],
) -> None:
    """Trains what is left of an epoch: the optimizer knows how many steps were taken."""
    steps = steps_of(faces, recipe)
    done = int(network.optimizer.iterations) - epoch * steps
    coming = batches(faces, targets, recipe, epoch, done)
    name = f"epoch {epoch + 1}/{recipe.all_epochs}"
    progress = tqdm(coming, total=steps, initial=done, desc=name, unit="step", mininterval=5)
    shown = 0.0
    for step, (images, wanted) in enumerate(progress, start=done + 1):
        loss = float(network.train_on_batch(images, wanted))
        shown += (loss - shown) / min(step - done, 50)
        progress.set_postfix(loss=f"{shown:.4f}", refresh=False)
        if step % recipe.kept_every == 0:
            keep()
