"""Photos of every shape into the network's input, boxes back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detector.letterbox import Letterbox

side = st.integers(1, 5000)


def blank(width, height):
    return np.zeros((height, width, 3), dtype=np.uint8)


@settings(max_examples=200)
@given(side, side)
def test_every_photo_lies_inside_the_input_and_touches_two_of_its_sides(width, height):
    place = Letterbox.fit(np.broadcast_to(np.uint8(0), (height, width, 3)), 480, 320)

    assert 1 <= place.width <= 480
    assert 1 <= place.height <= 320
    assert place.width == 480 or place.height == 320
    assert 0 <= place.left <= 480 - place.width
    assert 0 <= place.top <= 320 - place.height


@pytest.mark.parametrize(("width", "height"), [(1, 1), (4000, 16), (3, 900), (640, 480)])
def test_a_box_around_the_whole_photo_comes_back_as_the_whole_photo(width, height):
    place = Letterbox.fit(blank(width, height), 480, 480)
    edges = [place.left, place.top, place.left + place.width, place.top + place.height]

    normalised = place.normalise(np.array([edges], dtype=np.float32))

    assert normalised.tolist() == [[0, 0, 1, 1]]


def test_boxes_are_clipped_to_the_photo():
    place = Letterbox.fit(blank(200, 100), 480, 480)

    assert place.normalise(np.array([[-9, 0, 999, 480]], np.float32)).tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (4000, 16), (3, 900), (96, 64)])
def test_the_photo_is_drawn_where_it_is_said_to_be_and_grey_elsewhere(width, height):
    photo = np.full((height, width, 3), 200, dtype=np.uint8)
    place = Letterbox.fit(photo, 480, 480)
    canvas = np.empty((480, 480, 3), dtype=np.uint8)

    place.draw(photo, canvas)

    inside = (
        slice(place.top, place.top + place.height),
        slice(place.left, place.left + place.width),
    )
    assert (canvas[inside] == 200).all()
    canvas[inside] = 114
    assert (canvas == 114).all()


@settings(max_examples=200)
@given(side, side)
def test_a_tight_input_holds_the_photo_as_large_and_is_no_larger_than_its_grids_need(width, height):
    square = Letterbox.fit(np.broadcast_to(np.uint8(0), (height, width, 3)), 512, 512)

    across, down = square.tight(stride=32)

    assert across % 32 == down % 32 == 0
    assert 0 <= across - square.width < 32
    assert 0 <= down - square.height < 32
    inside = square.within(across, down)
    assert (inside.width, inside.height) == (square.width, square.height)
    assert 0 <= inside.left <= across - inside.width
    assert 0 <= inside.top <= down - inside.height
