"""What each part of the recipe is worth: small networks, each made without one part.

And what more faces are worth: the same of fewer and of more. Small enough to be repeated, so the
rows say in which direction a part works, not how far the whole recipe gets. Every run is kept; a
stopped command goes on after the last one.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import keras
import numpy as np

from training.attributes_runs import HISTORY
from training.faces_batches import Targets
from training.faces_data import Faces
from training.faces_network import attributes_network
from training.faces_recipe import Recipe
from training.faces_targets import BELIEF, Lesson
from training.faces_training import CHECKPOINT, train

FACES: Final = 4000  # drawn from train for a run; all runs of a seed draw in the same order
BASE: Final = Recipe(epochs=3, side=48, peak_rate=8e-4)
_KEPT: Final = "found.json"


@dataclass(frozen=True, slots=True)
class Row:
    """The recipe but for one part."""

    recipe: Recipe
    belief: float = BELIEF  # in the networks of the other half
    cleaned: bool = True
    faces: int = FACES


ROWS: Final[Mapping[str, Row]] = {
    "the recipe": Row(BASE),
    "labels as they are": Row(BASE, belief=0.0, cleaned=False),
    "no synthetic sunglasses": Row(replace(BASE, drawn=0.0)),
    "no augmentation": Row(replace(BASE, varied=False)),
    "no weights for rare labels": Row(replace(BASE, rare=(1.0, 1.0, 1.0))),
    "focal loss for these weights": Row(replace(BASE, rare=(1.0, 1.0, 1.0), focus=2.0)),
    "first blocks as in ImageNet": Row(replace(BASE, first_trained="block3_expand_conv")),
    "constant learning rate": Row(replace(BASE, decays=False)),
    "labels cleaned, not distilled": Row(BASE, belief=0.0),
    "1,000 faces": Row(BASE, faces=1000),
    "2,000 faces": Row(BASE, faces=2000),
    "8,000 faces": Row(BASE, faces=8000),
    "16,000 faces": Row(BASE, faces=16000),
}


def ablate(
    lesson: Lesson, val: Faces, seed: int, work: Path
) -> Iterator[tuple[str, Mapping[str, float]]]:
    """Trains every row for one seed, and yields its figures on val after the last epoch."""
    kept = _path(work, seed)
    kept.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, Mapping[str, float]] = json.loads(kept.read_text()) if kept.exists() else {}
    order = np.random.default_rng(seed).permutation(len(lesson.faces.names))
    for name, row in ROWS.items():
        if name not in found:
            drawn = order[: row.faces]
            targets = lesson.targets(row.belief, cleaned=row.cleaned)[drawn]
            found[name] = _run(lesson.faces.part(drawn), targets, val, row.recipe, seed, work)
            kept.write_text(json.dumps(found, indent=1) + "\n")
        yield name, found[name]


def _run(
    taught: Faces, targets: Targets, val: Faces, recipe: Recipe, seed: int, work: Path
) -> Mapping[str, float]:
    scratch = _path(work, seed).parent
    for left in (*scratch.glob("*.h5"), scratch / HISTORY):
        left.unlink(missing_ok=True)
    keras.utils.set_random_seed(seed)
    network = attributes_network(recipe.side)
    *_, last = train(network, taught, targets, val, replace(recipe, seed=seed), scratch)
    (scratch / CHECKPOINT).unlink()
    return last


def _path(work: Path, seed: int) -> Path:
    return work / "ablation" / str(seed) / _KEPT
