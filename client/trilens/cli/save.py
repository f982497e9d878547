"""Where `--save` puts pictures."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import click
from PIL import Image

from trilens.cli.photos import Source
from trilens.cli.terminal import Failure
from trilens.v1 import analysis_pb2 as pb

# Makes a picture of a photo's answer; raises OSError if the photo cannot be decoded here.
Draw: TypeAlias = Callable[[Path | bytes, pb.AnalyzeImageResponse], Image.Image]

_WRITABLE = frozenset((".jpg", ".jpeg", ".png", ".webp"))


class Undrawable(Exception):
    """A photo that the server could decode and this command cannot; others may do."""


def destinations(sources: Sequence[Source], out: Path) -> Mapping[int, Path]:
    """The file of each source's picture, by its index.

    One photo goes to `out` itself unless that is a folder; several go into the folder `out`, by
    their own names. Raises click.UsageError if `out` cannot be used, or if a photo would be
    overwritten.
    """
    try:
        return _destinations(sources, out)
    except OSError as error:
        raise click.UsageError(f"cannot save to {error.filename}: {error.strerror}") from error


def save(source: Source, response: pb.AnalyzeImageResponse, path: Path, draw: Draw) -> None:
    """Draws a picture and writes it.

    Raises Undrawable for a photo that cannot be decoded here, Failure with the reason if the
    picture cannot be written.
    """
    try:
        picture = draw(source.photo, response)
    except OSError as error:
        raise Undrawable(f"cannot draw {source.name}: {error}") from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, quality=92)
    except OSError as error:
        raise Failure(f"cannot make the picture {path}: {error}") from error


def _destinations(sources: Sequence[Source], out: Path) -> Mapping[int, Path]:
    if len(sources) == 1 and not out.is_dir():
        if out.suffix.lower() not in _WRITABLE:
            raise click.UsageError(
                f"--save writes {', '.join(sorted(_WRITABLE))}, not {out.name!r}"
            )
        chosen = {0: out}
    else:
        if out.exists() and not out.is_dir():
            raise click.UsageError(f"several photos need a folder to --save to; {out} is a file")
        chosen = _in_folder(sources, out)
    originals = {source.photo.resolve() for source in sources if isinstance(source.photo, Path)}
    for path in chosen.values():
        if path.resolve() in originals:
            raise click.UsageError(f"--save would overwrite the photo {path}")
    return chosen


def _in_folder(sources: Sequence[Source], folder: Path) -> dict[int, Path]:
    chosen: dict[int, Path] = {}
    used: set[Path] = set()
    for index, source in enumerate(sources):
        place = source.place
        if place.suffix.lower() not in _WRITABLE:
            place = place.with_name(f"{place.name}.jpg")
        path, copy = folder / place, 2
        while path in used:
            path = folder / place.with_name(f"{place.stem}-{copy}{place.suffix}")
            copy += 1
        used.add(path)
        chosen[index] = path
    return chosen
