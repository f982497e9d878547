"""Suppression, compared with the plainest code that does the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detector.nms import Candidates, candidates, suppress

scores = st.integers(0, 100).map(lambda score: score / 100)
coordinate = st.integers(0, 40)


@st.composite
def best_first(draw):
    """Candidates as `candidates` gives them, many of them overlapping, some of no size."""
    size = draw(st.integers(0, 25))
    corners = np.array(
        [[draw(coordinate) for _ in range(4)] for _ in range(size)], dtype=np.float32
    ).reshape(-1, 2, 2)
    edges = np.concatenate((corners.min(axis=1), corners.max(axis=1)), axis=1)
    ranked = sorted((draw(scores) for _ in range(size)), reverse=True)
    labels = [draw(st.integers(0, 2)) for _ in range(size)]
    return Candidates(edges, np.array(ranked, np.float32), np.array(labels, np.intp))


def plain_iou(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return width * height / (area - width * height)


def plain_suppress(found, overlap, limit):
    kept = []
    for place in range(len(found)):
        if all(
            found.labels[place] != found.labels[better]
            or plain_iou(found.edges[place].tolist(), found.edges[better].tolist()) <= overlap
            for better in kept
        ):
            kept.append(place)
    return kept[:limit]


def same(one, other):
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("edges", "scores", "labels")
    )


@settings(max_examples=300)
@given(best_first(), st.sampled_from([0.301, 0.503, 0.603, 0.999]), st.integers(1, 30))
def test_what_is_left_is_what_the_plainest_loop_leaves(found, overlap, limit):
    kept = plain_suppress(found, overlap, limit)

    assert same(suppress(found, overlap, limit), found.take(np.array(kept, dtype=np.intp)))


@settings(max_examples=100)
@given(best_first())
def test_suppressing_twice_changes_nothing(found):
    once = suppress(found, 0.603, 300)

    assert same(suppress(once, 0.603, 300), once)


def test_boxes_of_different_labels_never_suppress_each_other():
    edges = np.array([[0, 0, 10, 10]] * 3, dtype=np.float32)
    found = Candidates(edges, np.array([0.9, 0.8, 0.7], np.float32), np.array([0, 1, 0]))

    assert suppress(found, 0.6, 300).labels.tolist() == [0, 1]


def raw_of(*anchors):
    """A network's output from (centre x, centre y, width, height, score of each label)."""
    return np.array(anchors, dtype=np.float32).T


def test_candidates_come_best_first_with_their_edges():
    found = candidates(raw_of((20, 30, 10, 20, 0.1, 0.5), (50, 50, 4, 4, 0.9, 0.0)), floor=0.3)

    assert found.labels.tolist() == [0, 1]
    assert found.scores == pytest.approx([0.9, 0.5])
    assert found.edges.tolist() == [[48, 48, 52, 52], [15, 20, 25, 40]]


def test_a_box_counts_once_for_each_label_above_the_floor():
    found = candidates(raw_of((20, 30, 10, 20, 0.6, 0.5, 0.1)), floor=0.3)

    assert found.labels.tolist() == [0, 1]


def test_a_score_at_the_floor_counts_and_one_below_does_not():
    raw = raw_of((1, 1, 1, 1, 0.25), (1, 1, 1, 1, np.nextafter(np.float32(0.25), 0)))

    assert candidates(raw, floor=0.25).scores.tolist() == [0.25]


def test_no_candidates_is_an_answer():
    found = suppress(candidates(raw_of((1, 1, 1, 1, 0.0)), floor=0.5), 0.6, 300)

    assert len(found) == 0
    assert found.edges.shape == (0, 4)


def test_of_too_many_candidates_the_best_are_kept():
    random = np.random.default_rng(1)
    raw = random.random((5, 500), dtype=np.float32)

    found = candidates(raw, floor=0.0, most=20)

    assert found.scores.tolist() == sorted(raw[4].tolist(), reverse=True)[:20]
