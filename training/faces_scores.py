"""Quality of face scores against labels: ranking, decisions, calibration."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from services.manifest import Calibration

Scores = NDArray[np.float64]
Truth = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Quality:
    """One label on one split; rates in [0, 1]."""

    count: int  # faces whose label is known
    positives: int
    auc: float  # area under the ROC curve
    average_precision: float
    precision_interval: tuple[float, float]  # average precision, 95 % of bootstrap samples
    accuracy: float  # at the threshold, like the next two
    precision: float  # 1 where nothing was decided positive
    recall: float
    calibration_error: float  # expected, over ten bins of equally many faces


def quality(scores: Scores, truth: Truth, threshold: float) -> Quality:
    """Measures calibrated scores of faces whose label is known; both kinds must occur."""
    decided = scores >= threshold
    right = int((decided & truth).sum())
    return Quality(
        count=len(truth),
        positives=int(truth.sum()),
        auc=float(roc_auc_score(truth, scores)),
        average_precision=float(average_precision_score(truth, scores)),
        precision_interval=_interval(scores, truth),
        accuracy=float((decided == truth).mean()),
        precision=right / max(1, int(decided.sum())) if decided.any() else 1.0,
        recall=right / int(truth.sum()),
        calibration_error=_calibration_error(scores, truth),
    )


def platt(logits: NDArray[np.float32], truth: Truth) -> Calibration:
    """Fits probability = sigmoid(scale * logit + offset)."""
    fit = LogisticRegression(C=1e3).fit(logits[:, None].astype(np.float64), truth)
    return Calibration(scale=float(fit.coef_[0, 0]), offset=float(fit.intercept_[0]))


def balanced_threshold(scores: Scores, truth: Truth) -> float:
    """The score from which on precision and recall make the highest F1.

    Halfway to the next lower score, so that the threshold does not sit on one face.
    """
    precision, recall, thresholds = precision_recall_curve(truth, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
    best = int(np.argmax(f1[:-1]))
    below = thresholds[best - 1] if best else 0.0
    return float((thresholds[best] + below) / 2)


def _interval(scores: Scores, truth: Truth, samples: int = 400) -> tuple[float, float]:
    """Where average precision lies in the middle 95 % of as many faces drawn with replacement."""
    random = np.random.default_rng(0)
    draws = (random.integers(0, len(truth), len(truth)) for _ in range(samples))
    values = [average_precision_score(truth[d], scores[d]) for d in draws if truth[d].any()]
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def _calibration_error(scores: Scores, truth: Truth, bins: int = 10) -> float:
    order = np.argsort(scores, kind="stable")
    gaps = [
        abs(scores[part].mean() - truth[part].mean()) * len(part)
        for part in np.array_split(order, bins)
        if len(part)
    ]
    return float(sum(gaps) / len(scores))
