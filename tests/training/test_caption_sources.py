"""Sentences of one's own, and the photos held out of them."""

import shutil
from pathlib import Path

import pytest

from training.caption_sources import own, parted

PHOTOS = Path(__file__).parents[1] / "photos"


def table(folder, *rows, head="image,caption"):
    path = folder / "mine.csv"
    path.write_text("\n".join((head, *rows)) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("cat.jpg", "coffee.jpg", "astronaut.jpg"):
        shutil.copyfile(PHOTOS / name, folder / name)
    return folder


def test_a_table_gives_each_photo_all_its_sentences(tmp_path, photos):
    rows = ("cat.jpg,A cat 's face .", 'coffee.jpg,"A cup, full"', "cat.jpg,A brown cat")
    corpus = own(table(tmp_path, *rows), photos)

    assert corpus.name == "mine"
    assert corpus.names == ("cat.jpg", "coffee.jpg")
    assert corpus.references == (
        (("a", "cat", "'s", "face"), ("a", "brown", "cat")),
        (("a", "cup", "full"),),
    )
    (cat,) = corpus.pixels(("cat.jpg",))
    assert cat.shape[2] == 3
    assert max(cat.shape) <= 320
    assert cat.shape[0] != cat.shape[1]  # not squashed yet


def test_a_table_that_a_spreadsheet_wrote_is_read(tmp_path, photos):
    path = table(tmp_path, "cat.jpg,A cat,x", head="image,caption,note")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert own(path, photos).names == ("cat.jpg",)


@pytest.mark.parametrize(
    ("rows", "head", "problem"),
    [
        (("cat.jpg,A cat",), "photo,text", "columns image and caption"),
        (("cat.jpg, .",), "image,caption", "no sentence"),
        (("dog.jpg,A dog",), "image,caption", "1 photos, such as dog.jpg"),
    ],
    ids=str,
)
def test_a_table_that_is_no_use_says_why(tmp_path, photos, rows, head, problem):
    with pytest.raises((ValueError, FileNotFoundError), match=problem):
        own(table(tmp_path, *rows, head=head), photos)


def test_a_photo_stays_held_out_when_others_come(tmp_path, photos):
    few = own(table(tmp_path, "cat.jpg,A cat", "coffee.jpg,A cup"), photos)
    more = own(
        table(tmp_path, "cat.jpg,A cat", "coffee.jpg,A cup", "astronaut.jpg,A woman"), photos
    )

    for share in (0.3, 0.5, 0.7):
        held_out = [set(_held_out(corpus, share)) for corpus in (few, more)]
        assert held_out[0] == held_out[1] - {"astronaut.jpg"}


def _held_out(corpus, share):
    try:
        return parted(corpus, share)[1].names
    except ValueError:  # all of them, or none
        return corpus.names if share > 0.5 else ()


def test_too_few_photos_to_hold_some_out_are_refused(tmp_path, photos):
    with pytest.raises(ValueError, match="too few"):
        parted(own(table(tmp_path, "cat.jpg,A cat"), photos), 0.1)
