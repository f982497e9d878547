"""Finds the photos that a command line names: files, folders, standard input."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
)
_BEGINNINGS = (
    b"\xff\xd8\xff",  # JPEG
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\x00",  # TIFF, little-endian
    b"MM\x00*",  # TIFF, big-endian
)


@dataclass(frozen=True, slots=True)
class Source:
    """One photo to analyse."""

    name: str  # as the person knows it: the path, or "-"
    photo: Path | bytes
    place: Path  # where its picture goes within a folder of pictures


def find(arguments: Iterable[str]) -> tuple[Source, ...]:
    """The photos named, in order; a folder gives all within it, by name.

    Raises click.UsageError for what does not exist or cannot be looked at, and for a folder without
    photos.
    """
    try:
        return tuple(source for argument in arguments for source in _found(argument))
    except OSError as error:
        raise click.UsageError(f"cannot read {error.filename or '-'}: {error.strerror}") from error


def looks_like_photo(path: Path) -> bool:
    """Whether a file is named like a photo or begins like one."""
    if path.suffix.lower() in _SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            beginning = file.read(12)
    except OSError:
        return False
    webp = beginning.startswith(b"RIFF") and beginning.endswith(b"WEBP")
    return webp or beginning.startswith(_BEGINNINGS)


def _found(argument: str) -> Iterator[Source]:
    if argument == "-":
        yield Source("-", sys.stdin.buffer.read(), Path("stdin"))
        return
    path = Path(argument)
    if not path.exists():
        raise click.UsageError(f"there is no file or folder {argument!r}")
    if not path.is_dir():
        yield Source(argument, path, Path(path.name))
        return
    photos = tuple(_within(path))
    if not photos:
        raise click.UsageError(f"the folder {argument!r} holds no photos")
    for photo in photos:
        yield Source(str(photo), photo, photo.relative_to(path))


def _within(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        # Hidden entries are not photos, though some (macOS's ._photo.jpg) are named like them.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(parent, name)
            if not name.startswith(".") and path.is_file() and looks_like_photo(path):
                yield path
