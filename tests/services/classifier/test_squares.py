"""Square windows on photos: cut, squared, and the best of many kept."""

import numpy as np
import pytest

from services.classifier.squares import cut, squared, suppress

PHOTO = np.arange(20 * 30 * 3, dtype=np.uint32).reshape(20, 30, 3).astype(np.uint8)


def windows(*edges):
    return np.array(edges, np.float32).reshape(-1, 4)


def test_a_window_inside_is_what_lies_there():
    assert np.array_equal(cut(PHOTO, windows(4, 3, 12, 11)[0], 8), PHOTO[3:11, 4:12])


def test_outside_the_photo_its_border_is_repeated():
    corner = cut(PHOTO, windows(-8, -8, 0, 0)[0], 8)

    assert np.array_equal(corner, np.broadcast_to(PHOTO[0, 0], (8, 8, 3)))


@pytest.mark.parametrize("size", [0.0, 0.3, 1e4])
def test_a_window_of_any_size_is_cut(size):
    assert cut(PHOTO, windows(5, 5, 5 + size, 5 + size)[0], 24).shape == (24, 24, 3)


def test_squares_keep_the_centre_and_cover_the_window():
    assert squared(windows(0, 0, 10, 4)).tolist() == [[0, -3, 10, 7]]


def test_of_two_that_overlap_the_better_one_stays():
    kept = suppress(
        windows(0, 0, 10, 10, 1, 0, 11, 10, 20, 0, 30, 10),
        np.array([0.8, 0.9, 0.7], np.float32),
        most=10,
        overlap=0.5,
    )

    assert kept.tolist() == [1, 2]


def test_one_within_another_goes_only_if_nested_counts():
    inner_last = windows(0, 0, 10, 10, 2, 2, 5, 5)
    scores = np.array([0.9, 0.8], np.float32)

    assert suppress(inner_last, scores, 10, 0.7).tolist() == [0, 1]
    assert suppress(inner_last, scores, 10, 0.7, nested=True).tolist() == [0]


def test_no_more_are_looked_at_than_asked_for():
    apart = windows(*np.arange(0, 500, 5).repeat(4).reshape(-1, 4) + np.array([0, 0, 2, 2]))

    assert len(suppress(apart, np.linspace(1, 0, 100, dtype=np.float32), 7, 0.5)) == 7


def test_nothing_is_kept_of_nothing():
    assert suppress(windows(), np.empty(0, np.float32), 10, 0.5).tolist() == []
    assert squared(windows()).shape == (0, 4)
