"""What a codec finds out about a photo before any pixel is decoded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from chassis.errors import InvalidImage

Samples: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A photo whose structure is sound and whose pixels are still encoded.

    `read(max_side)` decodes them to (height, width, 3), RGB as the profile means it. The longest
    side of the result is at least `max_side`, or the photo's own where that is less; its aspect is
    roughly the photo's. It raises InvalidImage for damaged pixels.
    """

    format: str  # "jpeg", "png", ...
    width: int  # pixels as stored, before orientation
    height: int
    unpacked: int  # bytes that decoding writes at most: stands for its memory and its time
    read: Callable[[int], Samples]
    frames: int = 1
    orientation: int = 1  # EXIF: 1 to 8
    profile: bytes = b""  # ICC, of the RGB that is read; empty if there is none


def truncated(name: str) -> InvalidImage:
    """The refusal of a file that ends before its picture does."""
    return InvalidImage(f"a truncated {name}: the file ends before its picture does")
