"""Contact sheets show faces and numbers, in order."""

import numpy as np

from training.review_sheets import COLUMNS, ROWS, sheets


def plain(value):
    return np.full((128, 128, 3), value, np.uint8)


def test_faces_fill_sheets_in_order_and_the_last_is_only_as_high_as_it_needs():
    first, second = sheets([plain(value) for value in range(COLUMNS * ROWS + 1)])

    assert second.shape[0] < first.shape[0]
    assert second.shape[1] == first.shape[1]
    assert first[50, 50, 0] == 0
    assert first[-100, -100, 0] == COLUMNS * ROWS - 1
    assert second[50, 50, 0] == COLUMNS * ROWS


def test_below_each_face_stands_its_number():
    (sheet,) = sheets([plain(200)])

    assert (sheet[-24:, :40] == 0).any()
    assert not (sheet[:-30] == 0).any()
