"""A command line names photos; the rest of a folder is left alone."""

import click
import pytest

from trilens.cli.photos import find, looks_like_photo

JPEG = b"\xff\xd8\xff\xe0 and more"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "holiday" / "day 2").mkdir(parents=True)
    (tmp_path / ".cache").mkdir()
    contents = {
        "b.JPG": b"",
        "a.png": b"\x89PNG\r\n\x1a\n",
        "notes.txt": b"not a photo",
        "IMG_0001": JPEG,
        "._a.png": b"what macOS leaves behind",
        ".cache/hidden.jpg": JPEG,
        "holiday/day 2/c.webp": b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        "holiday/sound.wav": b"RIFF\x00\x00\x00\x00WAVEfmt ",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_a_folder_gives_its_photos_by_name_then_those_of_its_folders(folder):
    found = find([str(folder)])

    assert [str(source.place) for source in found] == [
        "IMG_0001",
        "a.png",
        "b.JPG",
        "holiday/day 2/c.webp",
    ]
    assert found[0].name == str(folder / "IMG_0001")


def test_a_file_named_by_itself_is_taken_whatever_it_is(folder):
    (source,) = find([str(folder / "notes.txt")])

    assert source.photo == folder / "notes.txt"


def test_what_is_not_there_is_said_so(tmp_path):
    with pytest.raises(click.UsageError, match="no file or folder"):
        find([str(tmp_path / "absent.jpg")])
    with pytest.raises(click.UsageError, match="holds no photos"):
        find([str(tmp_path)])


@pytest.mark.parametrize(
    "beginning", [JPEG, b"GIF89a", b"GIF87a", b"II*\x00", b"MM\x00*", b"\x89PNG\r\n\x1a\n"]
)
def test_photos_are_known_by_how_they_begin(tmp_path, beginning):
    path = tmp_path / "unnamed"
    path.write_bytes(beginning)

    assert looks_like_photo(path)
