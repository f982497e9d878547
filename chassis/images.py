"""Bytes to upright pixels, once; limits before work; the only decoder."""

import hashlib
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from chassis.codecs import colour, signatures
from chassis.codecs.encoded import Encoded
from chassis.errors import InvalidImage

# Photos are decoded side by side; OpenCV's own threads would only get in each other's way.
cv2.setNumThreads(1)


_MAX_RAW_SIDE: Final = 32768  # of photos that come as pixels


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """An upright RGB photo at the scale it is analysed in."""

    array: NDArray[np.uint8]  # (height, width, 3), C-contiguous, read-only, sRGB

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return int(self.array.shape[1])

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return int(self.array.shape[0])


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What a photo may cost; checked before any of its pixels is decoded."""

    max_bytes: int = 20 << 20  # of the file
    max_pixels: int = 100_000_000  # of the picture as stored
    max_unpacked: int = 96 << 20  # bytes a decoder writes on the way to the result
    max_frames: int = 1000  # of an animation, although only its first is shown

    def check(self, photo: Encoded) -> None:
        """Raises InvalidImage for a photo without pixels, or beyond a limit."""
        pixels = photo.width * photo.height
        size = f"{photo.width}x{photo.height} pixels"
        if not pixels:
            raise InvalidImage(f"an image of {size}")
        if pixels > self.max_pixels:
            raise InvalidImage(f"{size}, more than the {self.max_pixels:,} allowed")
        if photo.unpacked > self.max_unpacked:
            raise InvalidImage(
                f"{size} of {photo.format} that unpack to {photo.unpacked:,} bytes, "
                f"more than the {self.max_unpacked:,} allowed"
            )
        if photo.frames > self.max_frames:
            raise InvalidImage(f"{photo.frames} frames, more than the {self.max_frames} allowed")


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A decoded photo, and what is known of the one that was sent."""

    pixels: Pixels  # upright, reduced to the side that was asked for
    width: int  # of the upright original, in pixels
    height: int
    format: str  # "jpeg", "png", "webp", "gif", "bmp" or "tiff"
    sha256: bytes  # of the bytes that were sent


def decode(content: bytes, max_side: int, limits: ImageLimits) -> Photo:
    """Decodes a photo for analysis at no more than `max_side` pixels a side.

    Upright, opaque (transparent parts show white) and in sRGB; of an animation the first frame.
    Blocks for as long as that takes and mostly without the GIL: meant for a worker thread. Raises
    InvalidImage for whatever is not a sound photo within the limits.
    """
    if not content:
        raise InvalidImage("empty")
    if len(content) > limits.max_bytes:
        raise InvalidImage(f"{len(content):,} bytes, more than the {limits.max_bytes:,} allowed")
    photo = signatures.inspect(content)
    limits.check(photo)
    samples = _reduced(photo.read(max_side), *_fitted(photo.width, photo.height, max_side))
    array = _upright(colour.to_srgb(samples, photo.profile), photo.orientation)
    swapped = photo.orientation >= 5
    return Photo(
        pixels=_pixels(array),
        width=photo.height if swapped else photo.width,
        height=photo.width if swapped else photo.height,
        format=photo.format,
        sha256=hashlib.sha256(content).digest(),
    )


def shrink(pixels: Pixels, max_side: int) -> Pixels:
    """The photo averaged down to `max_side` on its longest side; itself if it is small enough."""
    if max(pixels.width, pixels.height) <= max_side:
        return pixels
    return _pixels(_reduced(pixels.array, *_fitted(pixels.width, pixels.height, max_side)))


def pixels_from_raw(width: int, height: int, rgb: bytes) -> Pixels:
    """Pixels over the bytes of an upright RGB photo, row by row, without copying them."""
    if not (1 <= width <= _MAX_RAW_SIDE and 1 <= height <= _MAX_RAW_SIDE):
        raise InvalidImage(
            f"an image of {width}x{height} pixels; sides are 1 to {_MAX_RAW_SIDE}", "image.pixels"
        )
    if len(rgb) != width * height * 3:
        raise InvalidImage(
            f"{len(rgb)} bytes for {width}x{height} pixels of 3 bytes", "image.pixels.rgb"
        )
    return Pixels(np.frombuffer(rgb, np.uint8).reshape(height, width, 3))


def _fitted(width: int, height: int, max_side: int) -> tuple[int, int]:
    """The size that keeps the aspect and fits; at least one pixel a side."""
    scale = min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _reduced(samples: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Averages down to a size: OpenCV is fast at that for whole factors only.

    So the nearest multiple of the size is interpolated first, which costs a quarter of the exact
    average and is as near to it as one bicubic filter to another (45 dB or more).
    """
    # A factor per side: the short side of a very long photo is reduced less, since it ends at 1.
    down, across = (
        max(1, round(old / new))
        for old, new in zip(samples.shape[:2], (height, width), strict=True)
    )
    if samples.shape[:2] != (height * down, width * across):
        samples = _resized(samples, width * across, height * down, cv2.INTER_LINEAR)
    if down == across == 1:
        return samples
    return _resized(samples, width, height, cv2.INTER_AREA)


def _resized(
    samples: NDArray[np.uint8], width: int, height: int, interpolation: int
) -> NDArray[np.uint8]:
    resized = cv2.resize(samples, (width, height), interpolation=interpolation)
    return np.asarray(resized, np.uint8)


def _upright(samples: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undoes an EXIF orientation: 5 to 8 are stored with rows and columns swapped."""
    if orientation >= 5:
        samples = samples.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples


def _pixels(samples: NDArray[np.uint8]) -> Pixels:
    array = np.ascontiguousarray(samples)
    array.setflags(write=False)
    return Pixels(array)
