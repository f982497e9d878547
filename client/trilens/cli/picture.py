"""Draws an answer into its photo: boxes, labels, face attributes, and the caption below."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from trilens.cli import upright
from trilens.cli.colours import FACE, OUTLINE, Colour, on, palette
from trilens.cli.fonts import font_for
from trilens.cli.footer import Entry, with_footer
from trilens.cli.placement import Rectangle, place
from trilens.cli.report import STATES, percent
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import classifier_pb2, decision_pb2, image_pb2

# Text below this size cannot be read, so a photo too small for it is enlarged, up to a bound.
_SMALLEST_FONT = 14
_SMALLEST_SIDE = 640  # of a square photo with the same area
_LARGEST_ENLARGED_SIDE = 4096


@dataclass(frozen=True, slots=True)
class _Mark:
    """A box with its label, in pixels of the picture."""

    box: Rectangle
    kind: str  # what it counts as in the legend
    text: str


def draw(photo: Path | bytes, response: pb.AnalyzeImageResponse) -> Image.Image:
    """The upright photo with everything found in it; small photos are enlarged.

    Raises OSError if the photo cannot be decoded here.
    """
    image = _legible(upright.read(photo))
    unit = math.sqrt(image.width * image.height)
    line = max(2, round(unit * 0.004))
    marks = tuple(_marks(response, image.size))
    caption = _caption(response)
    text = "".join((caption, *(mark.text for mark in marks)))
    font, spell = font_for(text, max(_SMALLEST_FONT, round(unit * 0.024)))
    counts = Counter(mark.kind for mark in marks)
    colours = palette(counts)
    canvas = ImageDraw.Draw(image)
    # large boxes first, so that those within them stay visible
    for mark in sorted(marks, key=lambda mark: mark.box.area, reverse=True):
        _outline(canvas, mark.box, colours[mark.kind], line)
    labels = [spell(mark.text) for mark in marks]
    _label_all(canvas, marks, labels, colours, font, image.size)
    return with_footer(
        image,
        font=font,
        caption=spell(caption),
        entries=[Entry(spell(kind), counts[kind], colour) for kind, colour in colours.items()],
        remarks=tuple(_remarks(response)),
    )


def _legible(image: Image.Image) -> Image.Image:
    wanted = _SMALLEST_SIDE / math.sqrt(image.width * image.height)
    factor = min(wanted, _LARGEST_ENLARGED_SIDE / max(image.size))
    if factor <= 1:
        return image
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BICUBIC)


def _marks(response: pb.AnalyzeImageResponse, size: tuple[int, int]) -> Iterator[_Mark]:
    outcomes = tuple(outcome for _, outcome in sorted(response.outcomes.items()))
    for outcome in outcomes:
        for face in outcome.classification.faces:
            yield _Mark(_in_pixels(face.box, size), FACE, _attributes(face))
    for outcome in outcomes:
        for found in outcome.detection.objects:
            text = f"{found.label}{_doubt(found.decision)} {percent(found.score)}"
            yield _Mark(_in_pixels(found.box, size), found.label, text)


def _in_pixels(box: image_pb2.BoundingBox, size: tuple[int, int]) -> Rectangle:
    width, height = size
    return Rectangle(box.x_min * width, box.y_min * height, box.x_max * width, box.y_max * height)


def _attributes(face: classifier_pb2.Face) -> str:
    shown = [
        f"{label.label}{_doubt(label.decision)} {percent(label.score)}"
        for label in face.labels
        if label.decision != decision_pb2.DECISION_ABSENT
    ]
    return "\n".join(shown) or f"face {percent(face.confidence)}"


def _doubt(decision: decision_pb2.Decision) -> str:
    return "" if decision == decision_pb2.DECISION_PRESENT else "?"


def _outline(canvas: ImageDraw.ImageDraw, box: Rectangle, colour: Colour, line: int) -> None:
    edge = max(1, line // 2)  # dark on both sides, so that the line shows on any background
    around = (box.left - edge, box.top - edge, box.right + edge, box.bottom + edge)
    canvas.rectangle(around, outline=OUTLINE, width=line + 2 * edge)
    canvas.rectangle((box.left, box.top, box.right, box.bottom), outline=colour, width=line)


def _label_all(
    canvas: ImageDraw.ImageDraw,
    marks: Sequence[_Mark],
    labels: Sequence[str],
    colours: dict[str, Colour],
    font: ImageFont.FreeTypeFont,
    size: tuple[int, int],
) -> None:
    margin, spacing = max(2, round(font.size / 4)), round(font.size / 4)
    extents = [canvas.multiline_textbbox((0, 0), label, font, spacing=spacing) for label in labels]
    places = place(
        [mark.box for mark in marks],
        [(right + 2 * margin, bottom + 2 * margin) for _, _, right, bottom in extents],
        Rectangle(0, 0, *size),
        keep_clear=[mark.box for mark in marks if mark.kind == FACE],
    )
    for mark, label, spot in zip(marks, labels, places, strict=True):
        if spot is None:  # no room: the box keeps its colour, and the legend says what that means
            continue
        colour = colours[mark.kind]
        canvas.rectangle((spot.left, spot.top, spot.right, spot.bottom), fill=colour)
        corner = (spot.left + margin, spot.top + margin)
        canvas.multiline_text(corner, label, on(colour), font, spacing=spacing)


def _caption(response: pb.AnalyzeImageResponse) -> str:
    texts = (outcome.caption.text for _, outcome in sorted(response.outcomes.items()))
    return "\n".join(text for text in texts if text)


def _remarks(response: pb.AnalyzeImageResponse) -> Iterator[str]:
    for feature, outcome in sorted(response.outcomes.items()):
        if outcome.state != pb.STATE_OK:
            yield f"{feature}: {STATES.get(outcome.state, 'no answer')}"
