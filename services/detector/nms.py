"""From a YOLO network's raw output to boxes: the sure ones, each object once a label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# Twice what a crowded street gives at a floor of 0.005; bounds the time that noise can cost.
MOST_CANDIDATES: Final = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Labelled boxes in pixels of the network's input, best first."""

    edges: Floats  # (n, 4): x_min, y_min, x_max, y_max
    scores: Floats  # (n,), in [0, 1]
    labels: NDArray[np.intp]  # (n,), places in the network's list of labels

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, chosen: NDArray[np.intp]) -> Candidates:
        """The candidates at these places, in this order."""
        return Candidates(self.edges[chosen], self.scores[chosen], self.labels[chosen])


def candidates(raw: Floats, floor: float, most: int = MOST_CANDIDATES) -> Candidates:
    """Reads one photo's output of shape (4 + labels, anchors); the best `most` are kept.

    The first four rows are a box's centre, width and height. A box counts once for every label
    whose score is at least `floor`: each label is a question of its own.
    """
    scores = raw[4:]
    anchors = np.flatnonzero(scores.max(axis=0) >= floor)  # few: all that follows is cheap
    scores = scores[:, anchors]
    labels, places = np.nonzero(scores >= floor)
    scores = scores[labels, places]
    best = np.argsort(-scores, kind="stable")[:most]
    boxes = raw[:4, anchors[places[best]]].T
    centres, halves = boxes[:, :2], boxes[:, 2:] / np.float32(2)
    edges: Floats = np.concatenate((centres - halves, centres + halves), axis=1)
    return Candidates(edges, scores[best], labels[best])


def suppress(found: Candidates, overlap: float, limit: int) -> Candidates:
    """Leaves out each box that a better one of its label overlaps by more than `overlap` (IoU).

    `found` is best first; so is what comes back, at most `limit` boxes.
    """
    covers = _overlapping(found.edges, overlap) & (found.labels[:, None] == found.labels)
    left = np.ones(len(found), dtype=bool)
    kept: list[int] = []
    for place in range(len(found)):
        if left[place]:
            kept.append(place)
            left &= ~covers[place]
        if len(kept) == limit:
            break
    return found.take(np.asarray(kept, dtype=np.intp))


def _overlapping(edges: Floats, overlap: float) -> NDArray[np.bool_]:
    """Which boxes overlap which by more than `overlap`, shape (n, n)."""
    left, top, right, bottom = np.ascontiguousarray(edges.T)
    shared = np.minimum(right[:, None], right) - np.maximum(left[:, None], left)
    height = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    shared = np.maximum(shared, 0) * np.maximum(height, 0)
    areas = (right - left) * (bottom - top)
    # IoU > overlap, without the division: shared / (a + b - shared) > overlap
    more: NDArray[np.bool_] = shared * (1 + overlap) > overlap * (areas[:, None] + areas)
    return more
