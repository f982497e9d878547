"""How far two models' predictions for the same photos are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from services.captioner.model import Captions
from services.classifier.model import Attributes, Face
from services.detector.model import Detection, Detections
from training.coco import overlaps

T = TypeVar("T", Detection, Face)


@dataclass(frozen=True, slots=True)
class Agreement:
    """The largest differences over some photos."""

    photos: int
    compared: int  # boxes, faces or captions that both models gave
    alone: int  # those that one of them gave and the other did not
    score: float  # largest difference of two scores, in [0, 1]
    overlap: float  # least overlap (IoU) of two boxes, in [0, 1]

    @property
    def same(self) -> float:
        """Share of what was given that both gave, in [0, 1]."""
        return self.compared / max(1, self.compared + self.alone)


def of_detections(pairs: Sequence[tuple[Detections, Detections]], margin: float) -> Agreement:
    """Compares boxes of one label; a box alone is left out if its score is below `margin`.

    There a difference too small to matter decides whether a box is answered at all.
    """
    scores, shared, alone = [0.0], [1.0], 0
    compared = 0
    for one, other in pairs:
        matched, left = _matched(one.boxes, other.boxes)
        compared += len(matched)
        alone += sum(box.score >= margin for box in left)
        scores += [abs(a.score - b.score) for a, b, _ in matched]
        shared += [overlap for _, _, overlap in matched]
    return Agreement(len(pairs), compared, alone, max(scores), min(shared))


def of_attributes(pairs: Sequence[tuple[Attributes, Attributes]]) -> Agreement:
    """Compares faces: the largest difference of any label's score."""
    scores, shared, alone = [0.0], [1.0], 0
    compared = 0
    for one, other in pairs:
        matched, left = _matched(one.faces, other.faces)
        compared += len(matched)
        alone += len(left)
        scores += [_apart(a, b) for a, b, _ in matched]
        shared += [overlap for _, _, overlap in matched]
    return Agreement(len(pairs), compared, alone, max(scores), min(shared))


def of_captions(pairs: Sequence[tuple[Captions, Captions]]) -> Agreement:
    """Compares the best sentences, word for word; scores are the probabilities of the same ones."""
    first = [(one.candidates[0], other.candidates[0]) for one, other in pairs]
    same = [(one, other) for one, other in first if one.text == other.text]
    scores = [
        abs(float(np.exp(one.log_probability) - np.exp(other.log_probability)))
        for one, other in same
    ]
    return Agreement(len(pairs), len(same), len(first) - len(same), max(scores, default=0.0), 1.0)


def _matched(some: Sequence[T], others: Sequence[T]) -> tuple[list[tuple[T, T, float]], list[T]]:
    """Pairs of one label with their overlap, the closest first, and whoever is left."""
    if not some or not others:
        return [], list(some or others)
    shared = overlaps(_edges(some), _edges(others))
    one, other = (
        np.array([getattr(found, "label", "") for found in side]) for side in (some, others)
    )
    shared[one[:, None] != other] = 0
    pairs: dict[int, tuple[int, float]] = {}
    taken = set()
    for place in np.argsort(-shared, axis=None, kind="stable").tolist():
        row, column = divmod(place, len(others))
        if row not in pairs and column not in taken and shared[row, column] > 0.5:
            pairs[row] = column, float(shared[row, column])
            taken.add(column)
    left = [found for row, found in enumerate(some) if row not in pairs]
    left += [found for column, found in enumerate(others) if column not in taken]
    return [(some[row], others[column], iou) for row, (column, iou) in pairs.items()], left


def _edges(found: Sequence[T]) -> NDArray[np.float64]:
    return np.array([astuple(one.box) for one in found], dtype=np.float64)


def _apart(one: Face, other: Face) -> float:
    scores = zip(one.scores, other.scores, strict=True)
    return max(abs(one.confidence - other.confidence), *(abs(a.score - b.score) for a, b in scores))
