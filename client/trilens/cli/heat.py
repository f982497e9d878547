"""Lays a map over the part of the photo that it covers."""

from collections.abc import Sequence
from typing import Final

from PIL import Image

from trilens.cli.colours import Colour
from trilens.v1 import explanation_pb2 as pb

FOR: Final[Colour] = (255, 90, 0)
AGAINST: Final[Colour] = (0, 120, 255)
_MOST: Final = 0.75  # how much of the photo the strongest place hides
# What is weaker than these at its strongest is drawn weaker, too: a map of nothing looks like one.
_STRONG_FALL: Final = 1.0  # of log odds
_STRONG_EXCESS: Final = 2.0  # of attention over an even share, in even shares


def part(photo: Image.Image, heatmap: pb.Heatmap) -> Image.Image:
    """What the map covers of the photo."""
    box, (width, height) = heatmap.box, photo.size
    left, top = int(box.x_min * width), int(box.y_min * height)
    right, bottom = round(box.x_max * width), round(box.y_max * height)
    return photo.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def of_label(image: Image.Image, heatmap: pb.Heatmap) -> Image.Image:
    """The image in grey, orange where it speaks for the label, blue where it speaks against it."""
    scale = heatmap.strongest / max(heatmap.strongest, _STRONG_FALL)
    return _glowing(image, heatmap, [scale * value for value in heatmap.values])


def of_word(image: Image.Image, heatmap: pb.Heatmap) -> Image.Image:
    """The image in grey, orange where the model looked more than it would at a place at random."""
    even = 1 / len(heatmap.values)
    excess = [value * heatmap.strongest / even - 1 for value in heatmap.values]
    scale = max(*excess, _STRONG_EXCESS)
    return _glowing(image, heatmap, [max(0.0, value / scale) for value in excess])


def _glowing(image: Image.Image, heatmap: pb.Heatmap, strengths: Sequence[float]) -> Image.Image:
    glowing = image.convert("L").convert("RGB")
    for colour, sign in ((FOR, 1), (AGAINST, -1)):
        grid = Image.new("F", (heatmap.columns, heatmap.rows))
        grid.putdata([255 * _MOST * max(0.0, sign * strength) for strength in strengths])
        smooth = grid.resize(image.size, Image.Resampling.BICUBIC)
        glowing.paste(colour, mask=smooth.convert("L"))
    return glowing
