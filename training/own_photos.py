"""A team's own photo files: whether each can be read is told before anything is learnt of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from chassis.errors import InvalidImage
from chassis.images import ImageLimits, decode

_SIDE: Final = 64  # pixels, of photos that are read only to see whether they can be: fast
_NAMED: Final = 5


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
