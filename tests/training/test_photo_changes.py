"""Photos are made worse as they are said to be, whatever their shape."""

import numpy as np
import pytest

from training.photo_changes import CHANGES, as_it_is


@pytest.fixture
def photo():
    random = np.random.default_rng(1)
    return random.integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_gives_another_photo_and_leaves_the_first_alone(name, photo):
    before = photo.copy()
    changed = CHANGES[name](photo)

    assert changed.dtype == np.uint8
    assert sorted(changed.shape) == sorted(photo.shape)
    assert changed.flags.c_contiguous
    assert changed.shape != photo.shape or (changed != photo).any()
    assert (photo == before).all()


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_the_same_every_time(name, photo):
    assert (CHANGES[name](photo) == CHANGES[name](photo)).all()


def test_a_dark_photo_has_a_quarter_of_the_light(photo):
    assert CHANGES["a quarter of the light"](photo).mean() == pytest.approx(photo.mean() / 4, 0.05)


def test_grey_has_no_colour(photo):
    grey = CHANGES["grey"](photo)

    assert (grey[..., 0] == grey[..., 1]).all()
    assert (grey[..., 0] == grey[..., 2]).all()


def test_no_change_is_none(photo):
    assert as_it_is(photo) is photo
