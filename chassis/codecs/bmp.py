"""BMP: uncompressed ones, their length checked, decoded by Pillow."""

import struct
from functools import partial
from typing import Final

from chassis.codecs import pillow
from chassis.codecs.encoded import Encoded, truncated
from chassis.errors import InvalidImage

_CORE_HEADER: Final = 12
_PLAIN, _BIT_FIELDS = 0, 3


def inspect(content: bytes) -> Encoded:
    """Reads the header of a BMP."""
    try:
        offset, header = struct.unpack_from("<II", content, 10)
        if header == _CORE_HEADER:
            width, height, _, bits = struct.unpack_from("<HHHH", content, 18)
            compression = _PLAIN
        else:
            width, height, _, bits, compression = struct.unpack_from("<iiHHI", content, 18)
    except struct.error:
        raise truncated("BMP") from None
    if compression not in (_PLAIN, _BIT_FIELDS):
        raise InvalidImage("a compressed BMP: only uncompressed ones are accepted")
    if width < 0 or bits not in (1, 4, 8, 16, 24, 32):
        raise InvalidImage("a damaged BMP: its header is invalid")
    height = abs(height)  # negative: stored from the top
    row = (width * bits + 31) // 32 * 4
    if offset + row * height > len(content):
        raise truncated("BMP")
    return Encoded(
        format="bmp",
        width=width,
        height=height,
        unpacked=width * height * pillow.bytes_per_pixel(3, 8),
        read=partial(pillow.read, content, "BMP", (width, height)),
    )
