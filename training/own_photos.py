"""A team's own tables and photos: what cannot be read is told before anything is learnt."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from chassis.errors import InvalidImage
from chassis.images import ImageLimits, decode

_SIDE: Final = 64  # pixels, of photos that are read only to see whether they can be: fast
_NAMED: Final = 5


def read_table(path: Path) -> io.StringIO:
    """The text of a CSV file, as spreadsheets write it; raises ValueError unless it is UTF-8."""
    try:
        return io.StringIO(path.read_text("utf-8-sig"), newline="")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text: save it as CSV in UTF-8") from None


def check_photos(paths: Iterable[Path]) -> None:
    """Raises ValueError with the reasons if any of the files is no photo that a service reads."""
    problems = [problem for path in paths if (problem := _problem(path))]
    if problems:
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise ValueError(f"photos that cannot be read: {'; '.join(problems[:_NAMED])}{more}")


def _problem(path: Path) -> str:
    try:
        decode(path.read_bytes(), _SIDE, ImageLimits())
    except InvalidImage as problem:
        return f"{path}: {', '.join(one.description for one in problem.violations)}"
    return ""
