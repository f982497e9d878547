"""The stages a captioner goes through, each of which can be stopped and gone on with."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from tqdm import tqdm

from training.caption_network import Tensor

Batch: TypeAlias = tuple[NDArray[Any], NDArray[np.int32], NDArray[np.float32]]
Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # of truth and logits


@dataclass(frozen=True, slots=True)
class Stage:
    """What is trained how long."""

    name: str
    number: int  # one of the seeds
    epochs: int
    batch: int  # photos, each with all its sentences
    rate: float  # of learning, at its highest; falls to a twentieth along a cosine
    dropout: float
    patience: int = 3  # epochs without a better score, after which it ends
    looks: bool = False  # teaches the eye, too

    def best(self, folder: Path) -> Path:
        """Where the best weights so far lie."""
        return folder / f"{self.name}-best.weights.h5"

    def last(self, folder: Path) -> Path:
        """Where the last weights lie, not averaged."""
        return folder / f"{self.name}-last.weights.h5"

    def noted(self, folder: Path) -> Path:
        """Where its progress is kept."""
        return folder / f"{self.name}.json"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage has come."""

    epoch: int = 0  # epochs done
    best: float = 0.0  # the highest score so far
    best_epoch: int = 0
    seconds: float = 0.0  # of CPU time

    @classmethod
    def read(cls, path: Path) -> "Progress":
        """What a file says, or none if it is not there."""
        return cls(**json.loads(path.read_text())) if path.exists() else cls()


def smoothed(truth: Tensor, logits: Tensor) -> Tensor:
    """Cross entropy of each word with a tenth of the truth spread over the vocabulary."""
    scores = ops.log_softmax(logits)
    picked = ops.take_along_axis(scores, ops.expand_dims(ops.cast(truth, "int32"), -1), -1)
    return -0.9 * ops.squeeze(picked, -1) - 0.1 * ops.mean(scores, -1)


def compiled(model: keras.Model, loss: Loss, rate: float, steps: int) -> None:
    """Gives a model its loss and an optimizer that warms up, then slows down over `steps`."""
    warm = min(100, steps // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warm, alpha=0.05, warmup_target=rate, warmup_steps=warm
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=0.01, clipnorm=2.0, use_ema=True, ema_momentum=0.995
    )
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    # Compiled by XLA, a step of this network costs a CPU more than twice the time.
    model.compile(optimizer, loss=loss, jit_compile=False)
    # Now, or weights loaded before the first step would come without the optimizer's state.
    optimizer.build(model.trainable_variables)


def teach(model: keras.Model, batches: Iterable[Batch], total: int) -> None:
    """One epoch of batches: what is seen, sentences, and each word's weight in the loss.

    Not `fit`, which would replace the weights by their moving average after every epoch.
    """
    bar = tqdm(batches, total=total)
    loss = 0.0
    for seen, words, weights in bar:
        found = float(model.train_on_batch([seen, words], words, sample_weight=weights))
        loss = 0.95 * loss + 0.05 * found if loss else found
        bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
    model.reset_metrics()


def run(
    stage: Stage,
    folder: Path,
    model: keras.Model,
    learn: Callable[[int], None],
    score: Callable[[], float],
) -> None:
    """Trains until the stage ends, and leaves `model` with the weights that scored best.

    `learn` runs the epoch of that number, from 0; `score` measures on val, higher is better. What
    is scored and kept is the moving average of the weights. Goes on where an earlier run stopped:
    `folder` holds the last and the best weights and the stage's progress.
    """
    folder.mkdir(parents=True, exist_ok=True)
    last, best, noted = (
        stage.last(folder),
        stage.best(folder),
        stage.noted(folder),
    )
    progress = Progress.read(noted)
    if progress.epoch:
        model.load_weights(last)
    while progress.epoch < stage.epochs:
        if progress.epoch - progress.best_epoch >= stage.patience:
            break
        start = time.process_time()
        learn(progress.epoch)
        raw = [np.asarray(weight).copy() for weight in model.trainable_weights]
        model.optimizer.finalize_variable_values(model.trainable_weights)
        found = score()
        done = progress.epoch + 1
        print(f"{stage.name} epoch {done}/{stage.epochs}: {found:.4f}", flush=True)
        spent = progress.seconds + time.process_time() - start
        if found >= progress.best:
            progress = Progress(done, found, done, spent)
            _save(model, best)
        else:
            progress = Progress(done, progress.best, progress.best_epoch, spent)
        for weight, values in zip(model.trainable_weights, raw, strict=True):
            weight.assign(values)
        _save(model, last)
        noted.write_text(json.dumps(asdict(progress)))
    model.load_weights(best)


def _save(model: keras.Model, path: Path) -> None:
    """A run that is stopped meanwhile keeps the weights from before, whole."""
    partial = path.with_name(f"partial-{path.name}")
    model.save_weights(partial)
    partial.replace(path)
