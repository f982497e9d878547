"""Average precision of boxes in a form that bootstrap samples of photos can be drawn of cheaply.

Which predictions find a true box does not depend on the other photos, so it is decided once;
a sample only counts photos differently. A mean over labels is taken over those that a sample has
boxes of, so that labels with few boxes skew its interval upwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training import coco
from training.bootstrap import Floats
from training.precision import Scored

_RECALLS: Final = np.linspace(0, 1, 101)


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """A label's predictions over all photos, best first, and its true boxes."""

    photos: NDArray[np.intp]  # (predictions,): where each was made
    scores: Floats  # (predictions,)
    hits: NDArray[np.bool_]  # (overlaps, predictions): whether it finds a box at IoU 0.5, 0.55, ...
    drawn: Floats  # (photos,): true boxes

    def scored(self) -> Scored:
        """The predictions, whether each finds a box at IoU 0.5, and the boxes that none finds."""
        return Scored(self.scores, self.hits[0], int(self.drawn.sum() - self.hits[0].sum()))


def matches(
    predicted: Sequence[coco.Boxes], true: Sequence[coco.Boxes], label: int, overlaps: int = 10
) -> Matches:
    """Compares photo by photo, at the first so many of COCO's ten overlaps."""
    scores, hits, photos, drawn = [], [], [], []
    for photo, (guesses, truth) in enumerate(zip(predicted, true, strict=True)):
        chosen = np.flatnonzero(guesses.labels == label)
        chosen = chosen[np.argsort(-guesses.scores[chosen], kind="stable")]
        targets = truth.edges[truth.labels == label]
        scores.append(guesses.scores[chosen])
        hits.append(coco.matched(coco.overlaps(guesses.edges[chosen], targets))[:overlaps])
        photos.append(np.full(len(chosen), photo))
        drawn.append(len(targets))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return Matches(
        photos=np.concatenate(photos)[order].astype(np.intp),
        scores=np.concatenate(scores)[order],
        hits=np.concatenate(hits, axis=1)[:, order],
        drawn=np.array(drawn, np.float64),
    )


def average_precisions(found: Matches, times: Floats) -> Floats:
    """The label's AP at each overlap; NaN if no true box was drawn."""
    count = float(times @ found.drawn)
    if not count:
        return np.full(len(found.hits), np.nan)
    weights = times[found.photos]
    seen = np.maximum(np.cumsum(weights), 1e-12)
    right = np.cumsum(found.hits * weights, axis=1)
    envelope = np.maximum.accumulate((right / seen)[:, ::-1], axis=1)[:, ::-1]
    padded = np.pad(envelope, ((0, 0), (0, 1)))
    places = [np.searchsorted(recall, _RECALLS) for recall in right / count]
    return np.array([row[at].mean() for row, at in zip(padded, places, strict=True)])


def mean_average_precision(
    predicted: Sequence[coco.Boxes], true: Sequence[coco.Boxes], overlaps: int = 1
) -> Callable[[Floats], float]:
    """The mean over the labels that occur in a sample: AP50 for one overlap, AP for all ten."""
    present = sorted({int(label) for boxes in true for label in boxes.labels})
    found = [matches(predicted, true, label, overlaps) for label in present]

    def measure(times: Floats) -> float:
        return float(np.nanmean([average_precisions(one, times).mean() for one in found]))

    return measure


def label_average_precision(
    predicted: Sequence[coco.Boxes], true: Sequence[coco.Boxes], label: int, overlaps: int = 1
) -> Callable[[Floats], float]:
    """One label's AP50, or its AP for all ten overlaps."""
    found = matches(predicted, true, label, overlaps)
    return lambda times: float(average_precisions(found, times).mean())
