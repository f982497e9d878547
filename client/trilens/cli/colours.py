"""Colours for kinds of things: the same kind has the same colour in every picture."""

import zlib
from collections.abc import Iterable
from typing import Final, TypeAlias

Colour: TypeAlias = tuple[int, int, int]

FACE: Final = "face"
OUTLINE: Final[Colour] = (0, 0, 0)
_BLACK: Final[Colour] = (0, 0, 0)
_WHITE: Final[Colour] = (255, 255, 255)
# Far from one another, and from the white of faces.
_COLOURS: Final[tuple[Colour, ...]] = (
    (230, 25, 75),  # red
    (255, 140, 40),  # orange
    (255, 225, 25),  # yellow
    (170, 240, 50),  # lime
    (40, 170, 70),  # green
    (0, 150, 140),  # teal
    (66, 212, 244),  # cyan
    (60, 100, 230),  # blue
    (150, 60, 210),  # purple
    (240, 60, 230),  # magenta
    (250, 170, 190),  # pink
    (160, 105, 50),  # brown
)


def palette(kinds: Iterable[str]) -> dict[str, Colour]:
    """A colour for each kind: faces are white, no two others share one while there are enough."""
    colours: dict[str, Colour] = {}
    free = set(_COLOURS)
    for kind in dict.fromkeys(kinds):
        if kind == FACE:
            colours[kind] = _WHITE
            continue
        usual = zlib.crc32(kind.encode()) % len(_COLOURS)
        in_turn = (*_COLOURS[usual:], *_COLOURS[:usual])
        colours[kind] = next((colour for colour in in_turn if colour in free), in_turn[0])
        free.discard(colours[kind])
    return colours


def on(background: Colour) -> Colour:
    """Black or white, whichever reads better on the background."""
    red, green, blue = background
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return _BLACK if luma > 128 else _WHITE
