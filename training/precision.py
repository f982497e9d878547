"""How right decisions are from each score on, with exact confidence bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from training.bootstrap import Floats
from training.ranking import Truth

CONFIDENCE: Final = 0.95
_HALVINGS: Final = 50


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of a label with what is true of each."""

    scores: Floats
    truth: Truth
    # Boxes that people drew and the network did not; None if whatever there is has a score.
    missed: int | None = None

    @property
    def positives(self) -> int:
        """How often the label applies, seen or missed."""
        return int(self.truth.sum()) + (self.missed or 0)


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """The decisions that follow from each edge that scores can be cut at, surest edge first.

    An edge lies in the middle of the gap between two scores that differ, never on an example.
    """

    edges: Floats
    counts: Floats  # decisions made
    right: Floats  # of them

    @property
    def precision(self) -> Floats:
        """Share of the decisions that are right."""
        return self.right / self.counts

    def lowest_at(self, place: int) -> float:
        """What the precision at an edge is at least, with 95 % confidence."""
        return lower_bound(int(self.right[place]), int(self.counts[place]))


def present_from(scored: Scored) -> Decisions:
    """Decisions that a label is present, where the score is at or above the edge."""
    return _decisions(scored.scores, scored.truth, end=0.0)


def absent_below(scored: Scored) -> Decisions:
    """Decisions that a label is absent, where the score is below the edge."""
    return _decisions(-scored.scores, ~scored.truth, end=-1.0)


def lower_bound(right: int, count: int, confidence: float = CONFIDENCE) -> float:
    """One-sided lower confidence bound of a share (Clopper and Pearson, 1934): exact.

    The share at which `right` of `count` or more would be seen with probability 1 - confidence.
    """
    if not right:
        return 0.0
    low, high = 0.0, right / count
    for _ in range(_HALVINGS):
        share = (low + high) / 2
        if _at_least(right, count, share) < 1 - confidence:
            low = share
        else:
            high = share
    return low


def _decisions(scores: Floats, right: Truth, end: float) -> Decisions:
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    ends = np.flatnonzero(np.diff(falling, append=-np.inf))
    following = np.append(falling[1:], end)[ends]
    return Decisions(
        edges=np.abs(
            [_between(at, below) for at, below in zip(falling[ends], following, strict=True)]
        ),
        counts=(ends + 1).astype(np.float64),
        right=np.cumsum(right[order])[ends].astype(np.float64),
    )


def _between(high: float, low: float) -> float:
    """A number between both with as few digits as that takes, near the middle."""
    middle = (high + low) / 2
    for digits in range(2, 16):
        if low < (short := round(middle, digits)) < high:
            return short
    return float(high)


def _at_least(right: int, count: int, share: float) -> float:
    """Probability of `right` or more of `count`, each with probability `share` in (0, 1)."""
    hits = np.arange(right, count + 1)
    logarithms = _log_choices(count)[right:] + hits * math.log(share)
    logarithms = logarithms + (count - hits) * math.log1p(-share)
    return float(np.exp(logarithms).sum())


def _log_choices(count: int) -> Floats:
    """Logarithms of the binomial coefficients of `count` over 0 to `count`."""
    factorials = np.cumsum(np.log(np.maximum(np.arange(count + 1), 1)))
    chosen: Floats = factorials[count] - factorials - factorials[::-1]
    return chosen
