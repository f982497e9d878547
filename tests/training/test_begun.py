"""A run in a folder goes on only with what it was begun with."""

import pytest

from training.begun import begin, digest


def test_a_run_goes_on_with_the_same(tmp_path):
    begin(tmp_path / "run", {"photos": "a", "sides": (64, 112)})
    begin(tmp_path / "run", {"photos": "a", "sides": (64, 112)})


def test_what_differs_is_named_and_the_run_stays_what_it_is(tmp_path):
    begin(tmp_path, {"photos": "a", "seed": 1, "rate": 0.1})

    for _ in range(2):
        with pytest.raises(ValueError, match="begun with other photos and rate: name another"):
            begin(tmp_path, {"photos": "b", "seed": 1, "rate": 0.2})


def test_what_is_noted_later_is_noted_beside_what_was_before(tmp_path):
    begin(tmp_path, {"photos": "a"})
    begin(tmp_path, {"recipe": [1, 2]})

    with pytest.raises(ValueError, match="begun with other photos:"):
        begin(tmp_path, {"photos": "b"})
    with pytest.raises(ValueError, match="begun with other recipe:"):
        begin(tmp_path, {"recipe": [2, 1]})


def test_parts_in_another_order_or_cut_otherwise_are_others():
    assert len({digest(parts) for parts in (["ab", "c"], ["a", "bc"], ["c", "ab"], ["abc"])}) == 4
    assert digest(["a"]) == digest([b"a"])
