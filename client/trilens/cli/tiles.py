"""Sheets of small pictures with text below them, in rows that fill their paper's width."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw

from trilens.cli.colours import Colour
from trilens.cli.fonts import font_for

TEXT: Final[Colour] = (245, 245, 245)
REMARK: Final[Colour] = (255, 200, 80)
FAINT: Final[Colour] = (165, 165, 165)
_PAPER: Final[Colour] = (24, 24, 24)
_WIDTH: Final = 960  # pixels
_GAP: Final = 12
_FONT: Final = 15
_LINE: Final = 19  # from one line of text to the next


@dataclass(frozen=True, slots=True)
class Line:
    """Text in one colour."""

    text: str
    colour: Colour = TEXT


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture with lines of text below it."""

    image: Image.Image
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Lines of text, and tiles below them."""

    lines: tuple[Line, ...]
    tiles: tuple[Tile, ...] = ()


def sheet(sections: Sequence[Section]) -> Image.Image:
    """The sections below one another."""
    rows = [tuple(_rows(section.tiles)) for section in sections]
    heights = [
        _GAP + _LINE * len(section.lines) + sum(map(_height, tiled))
        for section, tiled in zip(sections, rows, strict=True)
    ]
    paper = Image.new("RGB", (_WIDTH, sum(heights) + _GAP), _PAPER)
    top = 0
    for section, tiled, height in zip(sections, rows, heights, strict=True):
        _write(paper, section.lines, _GAP, top + _GAP)
        below = top + _GAP + _LINE * len(section.lines)
        for row in tiled:
            _lay(paper, row, below)
            below += _height(row)
        top += height
    return paper


def _rows(tiles: Sequence[Tile]) -> Iterator[tuple[Tile, ...]]:
    row: list[Tile] = []
    left = _GAP
    for tile in tiles:
        if row and left + tile.image.width + _GAP > _WIDTH:
            yield tuple(row)
            row, left = [], _GAP
        row.append(tile)
        left += tile.image.width + _GAP
    if row:
        yield tuple(row)


def _height(row: Sequence[Tile]) -> int:
    """Of the pictures, the text below them, and the gap around both."""
    pictures = max(tile.image.height for tile in row)
    return pictures + _LINE * max(len(tile.lines) for tile in row) + _GAP


def _lay(paper: Image.Image, row: Sequence[Tile], top: int) -> None:
    left = _GAP
    below = top + max(tile.image.height for tile in row) + _GAP // 2
    for tile in row:
        paper.paste(tile.image, (left, top + _GAP // 4))
        _write(paper, tile.lines, left, below)
        left += tile.image.width + _GAP


def _write(paper: Image.Image, lines: Sequence[Line], left: int, top: int) -> None:
    canvas = ImageDraw.Draw(paper)
    for number, line in enumerate(lines):
        font, spell = font_for(line.text, _FONT)
        canvas.text((left, top + number * _LINE), spell(line.text), line.colour, font)
