"""Labels find places where they can be read."""

from hypothesis import given
from hypothesis import strategies as st

from trilens.cli.placement import Rectangle, place

CANVAS = Rectangle(0, 0, 400, 300)


@st.composite
def boxes(draw):
    left = draw(st.integers(0, 390))
    top = draw(st.integers(0, 290))
    right = draw(st.integers(left + 1, 400))
    bottom = draw(st.integers(top + 1, 300))
    return Rectangle(left, top, right, bottom)


sizes = st.tuples(st.integers(5, 120), st.integers(8, 40))


@given(st.lists(st.tuples(boxes(), sizes), max_size=30))
def test_no_label_overlaps_another_or_leaves_the_picture(labelled):
    places = place([box for box, _ in labelled], [size for _, size in labelled], CANVAS)

    assert len(places) == len(labelled)
    drawn = [spot for spot in places if spot is not None]
    assert all(spot.within(CANVAS) for spot in drawn)
    for number, spot in enumerate(drawn):
        assert not any(spot.shared(other) for other in drawn[number + 1 :])


@given(boxes(), sizes)
def test_a_label_touches_its_box(box, size):
    (spot,) = place([box], [size], CANVAS)

    if spot is not None:
        assert spot.left <= box.right
        assert box.left <= spot.right
        assert spot.top <= box.bottom
        assert box.top <= spot.bottom


def test_a_label_stands_above_its_box_where_it_can():
    box = Rectangle(100, 100, 200, 200)

    assert place([box], [(50, 20)], CANVAS) == (Rectangle(100, 80, 150, 100),)


def test_at_the_upper_edge_a_label_stands_elsewhere():
    (spot,) = place([Rectangle(0, 0, 400, 300)], [(50, 20)], CANVAS)

    assert spot == Rectangle(0, 0, 50, 20)


def test_a_face_stays_visible_if_there_is_another_place():
    face = Rectangle(100, 60, 160, 100)
    person = Rectangle(100, 100, 200, 200)

    (spot,) = place([person], [(50, 20)], CANVAS, keep_clear=[face])

    assert spot is not None
    assert not spot.shared(face)


def test_a_label_without_room_is_left_out_rather_than_drawn_over_another():
    crowd = [Rectangle(100, 100, 110, 110)] * 40

    places = place(crowd, [(50, 20)] * 40, CANVAS)

    assert places.count(None) >= 20
    assert places[0] is not None
