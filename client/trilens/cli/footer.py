"""What stands below a picture: the caption, the legend, and what is missing."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from trilens.cli.colours import Colour

_PAPER: Colour = (24, 24, 24)
_TEXT: Colour = (245, 245, 245)
_REMARK: Colour = (255, 200, 80)
_SMALLEST_WIDTH = 480  # a narrow photo is set on wider paper, or no word would fit below it


@dataclass(frozen=True, slots=True)
class Entry:
    """A kind of thing, how many of it were found, and its colour."""

    kind: str
    count: int
    colour: Colour

    @property
    def text(self) -> str:
        """As the legend writes it."""
        return f"{self.count} x {self.kind}" if self.count > 1 else self.kind


@dataclass(frozen=True, slots=True)
class _Piece:
    """What a line is never broken within: a word, or an entry with its coloured square."""

    text: str
    colour: Colour
    swatch: Colour | None = None

    def width(self, font: ImageFont.FreeTypeFont) -> float:
        """In pixels, the square included."""
        return font.getlength(self.text) + (1.2 * font.size if self.swatch else 0)


def with_footer(
    image: Image.Image,
    *,
    font: ImageFont.FreeTypeFont,
    caption: str,
    entries: Sequence[Entry],
    remarks: Sequence[str],
) -> Image.Image:
    """The image on paper that is taller by what there is to say; the image itself if nothing."""
    width = max(image.width, _SMALLEST_WIDTH)
    room = width - 2 * font.size
    words = [_Piece(word, _TEXT) for word in caption.split()]
    found = [_Piece(entry.text, _TEXT, entry.colour) for entry in entries]
    missing = [_Piece(remark, _REMARK) for remark in remarks]
    lines = [
        *_flow(words, font, room, gap=font.getlength(" ")),
        *_flow(found, font, room, gap=font.size),
        *_flow(missing, font, room, gap=font.size),
    ]
    if not lines:
        return image
    step = 1.5 * font.size
    paper = Image.new("RGB", (width, image.height + round(step * (len(lines) + 0.5))), _PAPER)
    paper.paste(image, ((width - image.width) // 2, 0))
    canvas = ImageDraw.Draw(paper)
    for number, line in enumerate(lines):
        middle = image.height + step * (number + 0.75)
        for left, piece in line:
            _write(canvas, font, piece, font.size + left, middle)
    return paper


def _flow(
    pieces: Iterable[_Piece], font: ImageFont.FreeTypeFont, room: float, gap: float
) -> Iterator[list[tuple[float, _Piece]]]:
    """Lines of pieces, each with its distance from the left."""
    line: list[tuple[float, _Piece]] = []
    left = 0.0
    for piece in pieces:
        width = piece.width(font)
        if line and left + width > room:
            yield line
            line, left = [], 0.0
        line.append((left, piece))
        left += width + gap
    if line:
        yield line


def _write(
    canvas: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont,
    piece: _Piece,
    left: float,
    middle: float,
) -> None:
    if piece.swatch:
        half = 0.4 * font.size
        canvas.rectangle((left, middle - half, left + 2 * half, middle + half), fill=piece.swatch)
        left += 1.2 * font.size
    canvas.text((left, middle), piece.text, piece.colour, font, anchor="lm")
