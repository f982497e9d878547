"""Figures of face scores, on scores whose quality is known."""

import numpy as np
import pytest

from services.thresholds import Band
from training.faces_scores import quality

SCORES = np.array([0.9, 0.8, 0.4, 0.3, 0.1])
TRUTH = np.array([True, False, True, False, False])


def test_figures_of_a_few_scores_counted_by_hand():
    figures = quality(SCORES, TRUTH, Band(present=0.85, absent=0.35))

    assert figures.count == 5
    assert figures.accuracy.value == pytest.approx(3 / 5)
    assert figures.auc.value == pytest.approx(5 / 6)
    assert figures.recall_at_precision.value == pytest.approx(1 / 2)
    assert figures.present == (1.0, pytest.approx(1 / 2))
    assert figures.absent == (1.0, pytest.approx(2 / 3))
    assert figures.uncertain == pytest.approx(2 / 5)


def test_of_a_label_that_is_never_given_nothing_is_present():
    figures = quality(SCORES, TRUTH, Band(present=None, absent=0.0))

    assert figures.present == (0.0, 0.0)
    assert figures.uncertain == 1.0
