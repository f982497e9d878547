"""TIFF: its first directory checked, decoded by Pillow and libtiff."""

import struct
from functools import partial
from typing import Final

from chassis.codecs import exif, pillow
from chassis.codecs.encoded import Encoded, truncated
from chassis.errors import InvalidImage

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_INTEGERS: Final = {1: "B", 3: "H", 4: "I"}
_MAX_ENTRIES: Final = 256
_MAX_VALUE_BYTES: Final = 4 << 20  # all tags together: Pillow copies every one
_MAX_TILE_BYTES: Final = 16 << 20
# No compression, LZW, deflate (two numbers), PackBits. JPEG inside TIFF hides its damage, and
# fax codings hold pages, not photos.
_COMPRESSIONS: Final = frozenset({1, 5, 8, 32773, 32946})
_REDUCED: Final = 1
"""NewSubfileType of a preview: camera raw files begin with one."""

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION = 254, 256, 257, 258, 259
_STRIP_OFFSETS, _ORIENTATION, _CHANNELS, _STRIP_SIZES = 273, 274, 277, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_SIZES = 322, 323, 324, 325
_PROFILE, _DNG_VERSION = 34675, 50706


def inspect(content: bytes) -> Encoded:
    """Reads the first directory of a TIFF, which is its first page."""
    tags = _Tags(content)
    width, height = tags.number(_WIDTH), tags.number(_HEIGHT)
    if tags.number(_SUBFILE) & _REDUCED or tags.number(_DNG_VERSION):
        raise InvalidImage("a camera raw file, which is not accepted")
    if tags.number(_COMPRESSION, 1) not in _COMPRESSIONS:
        raise InvalidImage("a TIFF with a compression that is not accepted")
    channels, bits = tags.number(_CHANNELS, 1), max(tags.numbers(_BITS), default=1)
    pixel = max(pillow.bytes_per_pixel(channels, bits), -(-channels * bits // 8))
    if tags.number(_TILE_WIDTH) * tags.number(_TILE_HEIGHT) * pixel > _MAX_TILE_BYTES:
        raise InvalidImage("a TIFF with tiles that are too large")
    for offsets, sizes in ((_STRIP_OFFSETS, _STRIP_SIZES), (_TILE_OFFSETS, _TILE_SIZES)):
        ends = map(sum, zip(tags.numbers(offsets), tags.numbers(sizes), strict=False))
        if max(ends, default=0) > len(content):
            raise truncated("TIFF")
    return Encoded(
        format="tiff",
        width=width,
        height=height,
        unpacked=width * height * pixel,
        read=partial(pillow.read, content, "TIFF"),
        orientation=exif.valid(tags.number(_ORIENTATION)),
        profile=tags.value(_PROFILE),
    )


class _Tags:
    """The first directory's entries, none of them reaching outside the file."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._order = "<" if content[:2] == b"II" else ">"
        self._entries = dict[int, tuple[int, int, int]]()  # tag: type, start, bytes
        try:
            self._read()
        except struct.error:
            raise truncated("TIFF") from None

    def _read(self) -> None:
        (directory,) = struct.unpack_from(self._order + "I", self._content, 4)
        (count,) = struct.unpack_from(self._order + "H", self._content, directory)
        if count > _MAX_ENTRIES:
            raise InvalidImage(f"a TIFF of more than {_MAX_ENTRIES} tags")
        total = 0
        for start in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind, values = struct.unpack_from(self._order + "HHI", self._content, start)
            size = _SIZES.get(kind, 1) * values
            place = start + 8
            if size > 4:
                (place,) = struct.unpack_from(self._order + "I", self._content, place)
            total += size
            if place + size <= len(self._content):
                self._entries[tag] = kind, place, size
        if total > _MAX_VALUE_BYTES:
            raise InvalidImage("a TIFF with tags that are too large")

    def value(self, tag: int) -> bytes:
        """The bytes of a tag; empty where it is absent."""
        _, start, size = self._entries.get(tag, (0, 0, 0))
        return self._content[start : start + size]

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The whole numbers of a tag; none where it is absent or of another type."""
        kind, start, size = self._entries.get(tag, (0, 0, 0))
        if kind not in _INTEGERS:
            return ()
        layout = f"{self._order}{size // _SIZES[kind]}{_INTEGERS[kind]}"
        return struct.unpack_from(layout, self._content, start)

    def number(self, tag: int, default: int = 0) -> int:
        """The first whole number of a tag."""
        return next(iter(self.numbers(tag)), default)
