"""What tells a good map from a bad one, on faces whose answer is known."""

import numpy as np
import pytest

from training.heatmap_scores import deletion_and_insertion, mass, region

LANDMARKS = np.array([[40, 40], [80, 40], [60, 60], [45, 80], [75, 80]], np.float32)


def test_the_regions_are_around_mouth_and_eyes():
    mouth, eyes = region("smiling", LANDMARKS), region("eyeglasses", LANDMARKS)

    assert mouth[0] < 45 < 75 < mouth[2]
    assert mouth[1] < 80 < mouth[3]
    assert eyes[0] < 40 < 80 < eyes[2]
    assert eyes[3] < mouth[1]


def test_the_mouth_of_a_profile_is_no_smaller_than_its_face_lets_expect():
    profile = LANDMARKS.copy()
    profile[4] = [46, 80]

    left, _, right, _ = region("smiling", profile)

    assert right - left > 30


@pytest.mark.parametrize(
    ("values", "share"),
    [
        ([[0, 0], [3, 1]], 1.0),
        ([[3, 1], [0, 0]], 0.0),
        ([[2, 0], [1, 1]], 0.5),
        ([[0, 0]] * 2, 0.0),
    ],
)
def test_the_share_is_that_of_what_speaks_for_the_label(values, share):
    found, chance = mass(
        np.array(values, np.float32), np.float32([0, 0, 8, 8]), np.float32([0, 4, 8, 8])
    )

    assert found == pytest.approx(share)
    assert chance == 0.5


def test_what_speaks_against_does_not_count():
    values = np.array([[-9, 0], [1, 0]], np.float32)

    assert mass(values, np.float32([0, 0, 8, 8]), np.float32([0, 4, 8, 8]))[0] == 1


def test_the_map_that_names_what_counts_is_better_than_the_one_that_does_not():
    random = np.random.default_rng(0)
    face = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)

    def sharp(faces):
        """The score hangs on the lower left quarter being as it was."""
        same = [np.abs(one[16:, :16].astype(int) - face[16:, :16]).mean() for one in faces]
        return 1 - np.array(same) / max(same)

    right = np.array([[0, 0], [1, 0]], np.float32)
    deleted, inserted = deletion_and_insertion(face, right, sharp)
    wrongly_deleted, wrongly_inserted = deletion_and_insertion(face, -right, sharp)

    assert deleted < 0.3 < wrongly_deleted
    assert wrongly_inserted < 0.3 < inserted
