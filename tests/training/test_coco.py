"""Average precision, against cases worked out by hand and against plain code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.coco import Boxes, average_precision, boxes_of, found, overlaps, quality

LEFT, RIGHT = (0.0, 0.0, 0.4, 1.0), (0.6, 0.0, 1.0, 1.0)


def boxes(*rows):
    """Boxes from (edges, label, score)."""
    return Boxes(
        np.array([row[0] for row in rows], dtype=np.float64).reshape(-1, 4),
        np.array([row[1] for row in rows], dtype=np.intp),
        np.array([row[2] for row in rows], dtype=np.float64),
    )


def truth(*rows):
    return boxes(*((edges, label, 1.0) for edges, label in rows))


def ap50(predicted, true, label=0):
    return average_precision(predicted, true, label)[0]


def test_everything_found_and_nothing_else_is_one_at_every_overlap():
    result = quality([boxes((LEFT, 0, 0.9), (RIGHT, 1, 0.2))], [truth((LEFT, 0), (RIGHT, 1))])

    assert (result.ap50, result.ap, result.labels, result.photos) == (1, 1, 2, 1)


def test_nothing_found_is_zero():
    assert ap50([boxes()], [truth((LEFT, 0))]) == 0


def test_one_of_two_found_is_the_recalls_up_to_a_half():
    true = [truth((LEFT, 0), (RIGHT, 0))]

    assert ap50([boxes((LEFT, 0, 0.9))], true) == pytest.approx(51 / 101)


def test_a_wrong_guess_that_is_surer_halves_the_precision():
    guesses = [boxes((RIGHT, 0, 0.9), (LEFT, 0, 0.5))]

    assert ap50(guesses, [truth((LEFT, 0))]) == pytest.approx(0.5)


def test_a_wrong_guess_that_is_less_sure_costs_nothing():
    guesses = [boxes((RIGHT, 0, 0.1), (LEFT, 0, 0.5))]

    assert ap50(guesses, [truth((LEFT, 0))]) == 1


def test_a_box_found_twice_is_right_once():
    true = [truth((LEFT, 0), (RIGHT, 0))]
    guesses = [boxes((LEFT, 0, 0.9), (LEFT, 0, 0.8), (RIGHT, 0, 0.7))]

    # Precision 1 up to recall 1/2, then 2/3.
    assert ap50(guesses, true) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_photos_are_not_mixed_up():
    assert ap50([boxes((LEFT, 0, 0.9)), boxes()], [truth(), truth((LEFT, 0))]) == 0


def test_a_looser_box_counts_up_to_its_overlap():
    guess = (0.0, 0.0, 0.4, 0.72)  # IoU 0.72: right at 0.5, 0.55, ... 0.7

    by_overlap = average_precision([boxes((guess, 0, 0.9))], [truth((LEFT, 0))], 0)

    assert by_overlap.tolist() == [1] * 5 + [0] * 5


def test_labels_without_true_boxes_do_not_count_in_the_mean():
    result = quality([boxes((LEFT, 0, 0.9), (RIGHT, 7, 0.8))], [truth((LEFT, 0))])

    assert (result.ap, result.labels) == (1, 1)


def test_found_counts_true_boxes_of_the_right_label():
    guesses = boxes((LEFT, 0, 0.9), (LEFT, 0, 0.8), (RIGHT, 1, 0.7))

    assert found(guesses, truth((LEFT, 0), (RIGHT, 0))) == 1


def test_drawn_boxes_are_read_whatever_the_blanks_between_numbers():
    read = boxes_of("3 0.5 0.5 0.2 1.0\n\n 0\t0.25 0.5  0.5 0.5 \n", "cat.txt")

    assert read.labels.tolist() == [3, 0]
    assert read.edges.tolist() == [[0.4, 0, 0.6, 1], [0, 0.25, 0.5, 0.75]]


@pytest.mark.parametrize(
    "line",
    [
        "cat 0.5 0.5 0.2 1.0",
        "0 0.5 0.5 0.2",
        "0 0.1 0.1 0.2 0.1 0.2 0.2",  # an outline
        "0 320 240 100 80",  # pixels
        "0.5 0.5 0.5 0.2 0.2",
        "0 nan 0.5 0.2 0.2",
    ],
)
def test_what_is_no_box_is_refused_with_its_place(line):
    with pytest.raises(ValueError, match=r"cat\.txt, line 2: .* is not a label's number"):
        boxes_of(f"0 0.5 0.5 1 1\n{line}\n", "cat.txt")


box = st.tuples(*[st.floats(0, 0.6)] * 2, *[st.floats(0.01, 0.4)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@settings(max_examples=100)
@given(st.lists(box, max_size=6), st.lists(box, max_size=6))
def test_overlaps_are_those_of_areas(some, others):
    def shared(one, other):
        width = max(0, min(one[2], other[2]) - max(one[0], other[0]))
        return width * max(0, min(one[3], other[3]) - max(one[1], other[1]))

    def area(one):
        return (one[2] - one[0]) * (one[3] - one[1])

    plain = [[shared(a, b) / (area(a) + area(b) - shared(a, b)) for b in others] for a in some]

    result = overlaps(np.array(some).reshape(-1, 4), np.array(others).reshape(-1, 4))

    assert result == pytest.approx(np.array(plain).reshape(len(some), len(others)))


@settings(max_examples=50)
@given(st.lists(st.tuples(box, st.floats(0, 1)), max_size=8), st.lists(box, min_size=1, max_size=5))
def test_average_precision_is_a_share_and_falls_with_the_overlap_asked_for(guesses, drawn):
    predicted = [boxes(*((edges, 0, score) for edges, score in guesses))]

    by_overlap = average_precision(predicted, [truth(*((edges, 0) for edges in drawn))], 0)

    assert ((by_overlap >= 0) & (by_overlap <= 1)).all()
