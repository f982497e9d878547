"""Calibrated scores: each label's own fit, the one for the rest, and none."""

import math

import numpy as np
import pytest

from services.calibration import Calibrator
from services.manifest import Manifest
from tests.fakes import manifest_fields

FITS = {"dog": {"scale": 2.0, "offset": 1.0}, "*": {"scale": 0.5, "offset": -1.0}}


def calibrator(**fits: dict[str, float]) -> Calibrator:
    """Of a model that knows dogs and cats."""
    return Calibrator(Manifest.model_validate(manifest_fields(calibration=fits)))


def logistic(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def test_logits_are_scaled_and_moved_by_their_labels_fit() -> None:
    logits = np.array([[0, 0], [3, -3]], np.float32)

    assert calibrator(**FITS).of_logits(logits) == pytest.approx(
        np.array([[logistic(1), logistic(-1)], [logistic(7), logistic(-2.5)]])
    )


def test_scores_are_calibrated_by_their_logits() -> None:
    scores, labels = np.array([0.25, 0.25, 0.5], np.float32), np.array([0, 1, 1])

    assert calibrator(**FITS).of_scores(scores, labels) == pytest.approx(
        [logistic(2 * math.log(1 / 3) + 1), logistic(0.5 * math.log(1 / 3) - 1), logistic(-1)]
    )


def test_a_score_stays_exactly_as_it_is_where_nothing_was_fitted() -> None:
    scores = np.linspace(0, 1, 101, dtype=np.float32)

    assert (calibrator().of_scores(scores, np.zeros(101, np.intp)) == scores).all()


def test_calibration_keeps_the_order_of_a_labels_scores_and_is_finite_at_the_ends() -> None:
    scores = np.linspace(0, 1, 1001, dtype=np.float32)

    calibrated = calibrator(**FITS).of_scores(scores, np.zeros(1001, np.intp))

    assert (np.diff(calibrated) >= 0).all()
    assert np.isfinite(calibrated).all()
