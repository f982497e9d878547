"""Figures of scores against labels, in a form that bootstrap samples can be drawn of cheaply."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import Floats

Truth = NDArray[np.bool_]


class Ranking:
    """Scores of examples whose label is known, sorted once.

    Each figure takes how often each example counts (see `training.bootstrap`), and is NaN where it
    is not defined.
    """

    def __init__(self, scores: Floats, truth: Truth) -> None:
        self.scores = scores.astype(np.float64)
        self.truth = truth.astype(bool)
        self._order = np.argsort(-self.scores, kind="stable")
        falling = self.scores[self._order]
        # The last place of each group of equal scores: between them no threshold can cut.
        self._ends = np.flatnonzero(np.diff(falling, append=-np.inf))
        self._hits = self.truth[self._order].astype(np.float64)

    def __len__(self) -> int:
        return len(self.scores)

    def auc(self, times: Floats) -> float:
        """Area under the ROC curve: how often a positive scores above a negative, ties half."""
        right, wrong = self._found(times)
        if not right.any() or not wrong.any():
            return float("nan")
        heights = (np.append(0, right[:-1]) + right) / 2
        return float(np.diff(wrong, prepend=0) @ heights / (right[-1] * wrong[-1]))

    def average_precision(self, times: Floats) -> float:
        """Mean of the precision at every positive, as scikit-learn defines it."""
        right, wrong = self._found(times)
        if not right.any():
            return float("nan")
        precision = right / np.maximum(right + wrong, 1e-12)
        return float(np.diff(right, prepend=0) @ precision / right[-1])

    def accuracy(self, times: Floats, threshold: float) -> float:
        """Share of examples on the right side of the threshold."""
        right = (self.scores >= threshold) == self.truth
        return float(times @ right / times.sum()) if times.any() else float("nan")

    def precision(self, times: Floats, threshold: float) -> float:
        """Share of positives among scores at or above the threshold."""
        above = times * (self.scores >= threshold)
        return float(above @ self.truth / above.sum()) if above.any() else float("nan")

    def recall(self, times: Floats, threshold: float) -> float:
        """Share of the positives whose score is at or above the threshold."""
        positives = times * self.truth
        if not positives.any():
            return float("nan")
        return float(positives @ (self.scores >= threshold) / positives.sum())

    def recall_at_precision(self, times: Floats, least: float) -> float:
        """The highest recall at any threshold whose precision is at least `least`; 0 if none."""
        right, wrong = self._found(times)
        if not right.any():
            return float("nan")
        enough = right >= least * (right + wrong)
        return float((right * enough).max() / right[-1])

    def curve(self) -> tuple[Floats, Floats, Floats]:
        """Thresholds, falling, with precision and recall at each."""
        right, wrong = self._found(np.ones(len(self)))
        thresholds = self.scores[self._order][self._ends]
        return thresholds, right / (right + wrong), right / max(1.0, self.truth.sum())

    def _found(self, times: Floats) -> tuple[Floats, Floats]:
        """Positives and negatives at or above each distinct score, best first."""
        sorted_times = times[self._order]
        right = np.cumsum(sorted_times * self._hits)[self._ends]
        return right, np.cumsum(sorted_times)[self._ends] - right
