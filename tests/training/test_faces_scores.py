"""Figures of face scores, on scores whose quality is known."""

from pathlib import Path

import numpy as np
import pytest

from services.classifier.model import load
from services.packages import open_package
from services.thresholds import Band
from training.attributes_tables import end_rows
from training.faces_data import SIDE, Faces
from training.faces_measure import measure_end_to_end
from training.faces_scores import quality

PACKAGE = Path(__file__).parents[2] / "models" / "attributes" / "1.1.0"
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


def test_where_no_face_is_found_nothing_is_said_of_labels():
    blank = Faces(
        images=np.full((3, SIDE, SIDE, 3), 128, np.uint8),
        labels=np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.int8),
        names=("a", "b", "c"),
        sources=("mtfl",) * 3,
        landmarks=np.full((3, 5, 2), np.nan, np.float32),
    )
    classifier = load(open_package(PACKAGE))

    found = measure_end_to_end(classifier, blank, shrink=1)

    classifier.close()
    assert (found.faces, found.found, dict(found.labels)) == (3, 0, {})
    assert "0.000" in end_rows([found])
