"""Which labels are doubted, and what is taught instead."""

import numpy as np
import pytest

pytest.importorskip("keras", reason="Keras is installed for training only")
pytest.importorskip("tqdm", reason="tqdm is installed for training only")

from training.faces_data import SIDE, UNKNOWN, Faces
from training.faces_targets import Lesson, doubted

#  smiling, sunglasses, eyeglasses; the fourth face is labelled as smiling and does not look it
LABELS = np.array(
    [[1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0], [UNKNOWN, 1, UNKNOWN]],
    np.int8,
)
SCORES = np.array([0.9, 0.95, 0.8, 0.02, 0.1, 0.2, 0.6], np.float32)


def faces(sources):
    count = len(LABELS)
    return Faces(
        images=np.zeros((count, SIDE, SIDE, 3), np.uint8),
        labels=LABELS,
        names=tuple(map(str, range(count))),
        sources=sources,
        landmarks=np.full((count, 5, 2), np.nan, np.float32),
    )


def lesson(last="celeba"):
    given = faces(("mtfl",) * 6 + (last,))
    scores = np.stack([SCORES, SCORES, SCORES], axis=1)
    return Lesson(given, scores, doubted(given, SCORES))


def test_only_labels_that_are_surely_contradicted_are_doubted():
    assert lesson().doubted.tolist() == [False, False, False, True, False, False, False]


def test_a_doubted_label_is_not_taught_and_others_are_mixed():
    smiles = lesson().targets(belief=0.5)[:, 0]

    assert smiles[3] == pytest.approx(0.02)
    assert smiles[0] == pytest.approx((1 + 0.9) / 2)
    assert smiles[4] == pytest.approx((0 + 0.1) / 2)


def test_blank_labels_are_taught_as_scored_where_faces_look_alike():
    assert lesson().targets()[6].tolist() == pytest.approx([0.6, 1, 0.6])
    assert lesson("smilesmiled").targets()[6].tolist() == [UNKNOWN, 1, UNKNOWN]


def test_without_belief_and_cleaning_the_labels_are_taught():
    assert (lesson().targets(0.0, cleaned=False) == LABELS).all()
