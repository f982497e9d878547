"""Decoding by Pillow, in bands, so that a large photo is never held twice."""

from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image

from chassis.codecs.encoded import Samples
from chassis.errors import InvalidImage

# Every codec states its size first, and the limits that hold are chassis.images.ImageLimits.
Image.MAX_IMAGE_PIXELS = None

_BAND_PIXELS: Final = 1 << 20
_MIN_SIDE: Final = 16
_GREY_16: Final = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})


def bytes_per_pixel(channels: int, bits: int) -> int:
    """What decoding writes for a pixel: one byte for plain grey, however few its bits, else four.

    A palette's index counts as the three channels that it becomes.
    """
    return 4 if channels > 1 or bits > 8 else 1


def read(content: bytes, name: str, size: tuple[int, int], max_side: int) -> Samples:
    """The RGB pixels of `content`, which is in the one format called `name`.

    Transparent parts show white. The result is averaged down by a whole factor where the photo is
    four times as large as `max_side` or more. A picture that is not of the size that was checked
    against the limits is refused.
    """
    try:
        with Image.open(BytesIO(content), formats=[name.upper()]) as image:
            return _decoded(image, size, max_side)
    except InvalidImage:
        raise
    # Pillow's parsers raise whatever they stumble over, from SyntaxError to struct.error.
    except Exception as problem:
        raise InvalidImage(f"a damaged {name}: its pixels cannot be decoded") from problem


def _decoded(image: Image.Image, size: tuple[int, int], max_side: int) -> Samples:
    if image.size != size:
        raise InvalidImage("a damaged file: it states two sizes")
    image.load()
    return _reduced(image, max(size) // (2 * max_side))


def _reduced(image: Image.Image, factor: int) -> Samples:
    width, height = image.size
    # A side of few pixels keeps them: the last one of a whole factor may be a remainder.
    across, down = (max(1, min(factor, side // _MIN_SIDE)) for side in image.size)
    rows = max(1, _BAND_PIXELS // (width * down)) * down
    bands = []
    for top in range(0, height, rows):
        band = _opaque(image.crop((0, top, width, min(top + rows, height))))
        bands.append(np.asarray(band.reduce((across, down)).convert("RGB")))
    return np.concatenate(bands) if len(bands) > 1 else bands[0]


def _opaque(image: Image.Image) -> Image.Image:
    """The image in eight bits a channel, grey or RGB, on white."""
    if image.mode in _GREY_16:
        # Scaled, since Pillow's own conversion clips at 255 and shows white.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise InvalidImage("samples of 32 bits, which have no defined range")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        canvas = Image.new("RGB", layer.size, "white")
        canvas.paste(layer, mask=layer)
        return canvas
    return image.convert("L" if image.mode in ("1", "L") else "RGB")
