"""Calibration and figures of face scores, on scores whose quality is known."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is installed for training only")

from training.faces_scores import balanced_threshold, platt, quality

RANDOM = np.random.default_rng(4)
LOGITS = RANDOM.normal(0, 2, 20_000).astype(np.float32)
TRUTH = RANDOM.random(20_000) < 1 / (1 + np.exp(-(0.5 * LOGITS - 1)))


def test_calibration_finds_what_the_scores_were_drawn_from():
    fit = platt(LOGITS, TRUTH)

    assert fit.scale == pytest.approx(0.5, abs=0.05)
    assert fit.offset == pytest.approx(-1, abs=0.05)


def test_calibrated_scores_have_no_calibration_error_and_others_have():
    calibrated = 1 / (1 + np.exp(-(0.5 * LOGITS.astype(np.float64) - 1)))

    assert quality(calibrated, TRUTH, 0.5).calibration_error < 0.02
    assert quality(np.sqrt(calibrated), TRUTH, 0.5).calibration_error > 0.1


def test_figures_of_a_few_scores_counted_by_hand():
    scores = np.array([0.9, 0.8, 0.4, 0.3, 0.1])
    truth = np.array([True, False, True, False, False])

    figures = quality(scores, truth, threshold=0.5)

    assert (figures.count, figures.positives) == (5, 2)
    assert figures.accuracy == pytest.approx(3 / 5)
    assert figures.precision == pytest.approx(1 / 2)
    assert figures.recall == pytest.approx(1 / 2)
    assert figures.auc == pytest.approx(5 / 6)


def test_the_balanced_threshold_lies_between_two_scores():
    scores = np.array([0.9, 0.8, 0.4, 0.3, 0.1])
    truth = np.array([True, True, True, False, False])

    assert balanced_threshold(scores, truth) == pytest.approx(0.35)
