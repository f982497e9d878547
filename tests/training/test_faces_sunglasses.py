"""Sunglasses are drawn where the eyes are, and only on faces that can wear them."""

import numpy as np
import pytest

from training.faces_data import LABELS, SIDE, UNKNOWN
from training.faces_sunglasses import as_sunglasses, can_wear, with_sunglasses

LANDMARKS = np.array([[45, 45], [83, 45], [64, 64], [48, 84], [80, 84]], np.float32)
FACE = np.full((SIDE, SIDE, 3), 180, np.uint8)


def test_both_eyes_get_dark_and_the_mouth_stays():
    for seed in range(20):
        worn = with_sunglasses(FACE, LANDMARKS, np.random.default_rng(seed))

        assert worn[45, [45, 83]].mean() < 150
        assert (worn[78:] == FACE[78:]).all()


def test_drawing_repeats_with_its_seed():
    one, same, other = (
        with_sunglasses(FACE, LANDMARKS, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )

    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_a_smile_is_taught_as_before():
    targets = as_sunglasses(np.array([0.7, 0, 1], np.float32))

    assert dict(zip(LABELS, targets.tolist(), strict=True)) == {
        "smiling": pytest.approx(0.7),
        "sunglasses": 1,
        "eyeglasses": 0,
    }


def test_faces_without_landmarks_or_with_sunglasses_get_none():
    labels = np.array([[0, 0, 0], [0, 1, 0], [0, UNKNOWN, 0], [0, 0, 0]], np.int8)
    landmarks = np.stack([LANDMARKS, LANDMARKS, LANDMARKS, np.full((5, 2), np.nan, np.float32)])

    assert can_wear(labels, landmarks).tolist() == [True, False, False, False]
