"""What two networks, each trained on one half of the faces, say of the half it has not seen.

Their scores tell which labels are likely to be wrong, and are what the next network learns beside
the labels (knowledge distillation, Hinton et al., 2015). They also say which faces of test are
worth looking at again: halves, seeds and recipes differ.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from training.calibration import calibrated, platt
from training.faces_data import LABELS, UNKNOWN, Faces
from training.faces_network import attributes_network, scored
from training.faces_recipe import FOLDS
from training.faces_training import CHECKPOINT, begin_run, train


def train_fold(fold: int, taught: Faces, val: Faces, work: Path) -> Iterator[dict[str, float]]:
    """Trains a fold's network on its half, yielding each epoch's figures on val."""
    recipe = FOLDS[fold]
    keras.utils.set_random_seed(recipe.seed)
    network = attributes_network(recipe.side)
    half = taught.part(_half(fold, taught))
    targets = half.labels.astype(np.float32)
    yield from train(network, half, targets, val, recipe, _folder(fold, work))


def begin_fold(fold: int, taught: Faces, val: Faces, work: Path) -> None:
    """Raises ValueError if a fold's network was trained by another recipe or with other labels."""
    half = _half(fold, taught)
    learnt = [taught.names[place] for place in half], taught.labels[half]
    begin_run(learnt, (val.names, val.labels), FOLDS[fold], _folder(fold, work))


def scored_before(fold: int, splits: Sequence[str], work: Path) -> bool:
    """Whether a fold's logits are kept for all these splits."""
    return all((_folder(fold, work) / f"logits-{split}.npy").exists() for split in splits)


def fold_logits(fold: int, faces: Faces, split: str, work: Path) -> NDArray[np.float32]:
    """A fold's logits (faces, labels); computed once."""
    kept = _folder(fold, work) / f"logits-{split}.npy"
    if not kept.exists():
        side = FOLDS[fold].side
        network = attributes_network(side)
        network.load_weights(kept.with_name(CHECKPOINT))
        np.save(kept, scored(network, faces, side))
    return np.asarray(np.load(kept), np.float32)


def unseen_scores(faces: Faces, work: Path) -> NDArray[np.float32]:
    """Train's probabilities by the network that has not seen the face, calibrated on those."""
    half = halves(faces.names)
    scores = np.empty(faces.labels.shape, np.float32)
    for fold in range(len(FOLDS)):
        answers = fold_logits(fold, faces, "train", work)
        unseen = half != fold
        for column in range(len(LABELS)):
            known = unseen & (faces.labels[:, column] != UNKNOWN)
            fit = platt(answers[known, column], faces.labels[known, column] == 1)
            scores[unseen, column] = calibrated(answers[unseen, column], fit)
    return scores


def halves(names: Sequence[str]) -> NDArray[np.int64]:
    """The half, 0 or 1, of each face, by its name."""
    return np.array([hashlib.sha256(name.encode()).digest()[0] % 2 for name in names])


def _half(fold: int, taught: Faces) -> NDArray[np.int64]:
    return np.flatnonzero(halves(taught.names) == fold)


def _folder(fold: int, work: Path) -> Path:
    return work / f"fold-{fold}"
