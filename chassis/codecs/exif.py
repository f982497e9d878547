"""The one thing EXIF says that changes what a photo shows: which way is up."""

import struct
from typing import Final

UPRIGHT: Final = 1
_ORIENTATION: Final = 0x0112
_INTEGERS: Final = {1: "B", 3: "H", 4: "I"}  # the TIFF types that writers have used for it
_MAX_ENTRIES: Final = 512


def orientation(exif: bytes) -> int:
    """The orientation, 1 to 8, stated by an EXIF block; UPRIGHT where it is absent or broken."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return UPRIGHT
    try:
        (directory,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, directory)
        for index in range(min(count, _MAX_ENTRIES)):
            entry = directory + 2 + 12 * index
            tag, kind = struct.unpack_from(order + "HH", tiff, entry)
            if tag == _ORIENTATION and kind in _INTEGERS:
                (value,) = struct.unpack_from(order + _INTEGERS[kind], tiff, entry + 8)
                return valid(value)
    except struct.error:
        return UPRIGHT
    return UPRIGHT


def valid(value: int) -> int:
    """`value` if it is one of the eight orientations, else UPRIGHT."""
    return value if 1 <= value <= 8 else UPRIGHT
