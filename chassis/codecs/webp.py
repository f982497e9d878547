"""WebP: its RIFF chunks checked, decoded by libwebp through Pillow."""

import struct
from collections.abc import Iterator
from functools import partial
from typing import Final

from chassis.codecs import exif, pillow
from chassis.codecs.encoded import Encoded, truncated
from chassis.errors import InvalidImage

_MAX_CHUNKS: Final = 10_000
# Every WebP is decoded as an animation, on two canvases of RGBA. The larger its file, the longer.
_BYTES_PER_PIXEL: Final = 8
_BYTES_PER_BYTE: Final = 12


def inspect(content: bytes) -> Encoded:
    """Reads the chunks of a WebP; an animated one shows its first frame."""
    chunks, frames = dict[bytes, bytes](), 0
    for kind, body in _chunks(content):
        frames += kind == b"ANMF"
        if kind != b"ANMF":
            chunks.setdefault(kind, body)
    width, height = _size(chunks)
    return Encoded(
        format="webp",
        width=width,
        height=height,
        unpacked=max(width * height * _BYTES_PER_PIXEL, len(content) * _BYTES_PER_BYTE),
        read=partial(pillow.read, content, "WebP", (width, height)),
        frames=max(1, frames),
        orientation=exif.orientation(chunks.get(b"EXIF", b"")),
        profile=chunks.get(b"ICCP", b""),
    )


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    end = 8 + int.from_bytes(content[4:8], "little")
    if end > len(content):
        raise truncated("WebP")
    position = 12
    for _ in range(_MAX_CHUNKS):
        if position >= end:
            return
        (size,) = struct.unpack_from("<I", content[position + 4 : position + 8].ljust(4, b"\xff"))
        start = position + 8
        position = start + size + size % 2
        if start + size > end:
            raise truncated("WebP")
        yield content[start - 8 : start - 4], content[start : start + size]
    raise InvalidImage(f"a WebP of more than {_MAX_CHUNKS} chunks")


def _size(chunks: dict[bytes, bytes]) -> tuple[int, int]:
    """Width and height of the canvas; of the picture where the file states no canvas."""
    extended, lossless, lossy = (chunks.get(kind, b"") for kind in (b"VP8X", b"VP8L", b"VP8 "))
    if len(extended) >= 10:
        return (
            1 + int.from_bytes(extended[4:7], "little"),
            1 + int.from_bytes(extended[7:10], "little"),
        )
    if len(lossless) >= 5:
        packed = int.from_bytes(lossless[1:5], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    if len(lossy) >= 10:
        width, height = struct.unpack_from("<HH", lossy, 6)
        return width & 0x3FFF, height & 0x3FFF
    raise InvalidImage("a WebP without a picture")
