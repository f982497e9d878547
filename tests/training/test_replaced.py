"""A package that is made anew takes the old one's place only when it is whole."""

import pytest

from training.replaced import replaced


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "1.0.0").mkdir()
    (tmp_path / "1.0.0" / "card.md").write_text("old")
    return tmp_path / "1.0.0"


def make(folder, *, breaks_off=False):
    with replaced(folder) as place:
        place.mkdir()
        (place / "card.md").write_text("new")
        assert (folder / "card.md").read_text() == "old"
        if breaks_off:
            raise OSError("the disk is full")


def test_the_new_one_takes_the_old_ones_place(folder):
    make(folder)

    assert (folder / "card.md").read_text() == "new"
    assert [path.name for path in folder.parent.iterdir()] == ["1.0.0"]


def test_if_it_cannot_be_made_the_old_one_stays(folder):
    with pytest.raises(OSError, match="full"):
        make(folder, breaks_off=True)

    assert (folder / "card.md").read_text() == "old"
    assert [path.name for path in folder.parent.iterdir()] == ["1.0.0"]
