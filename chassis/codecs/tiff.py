"""TIFF: its first directory checked, decoded by Pillow and libtiff."""

import struct
from dataclasses import dataclass
from functools import partial
from typing import Final

from chassis.codecs import exif, pillow
from chassis.codecs.encoded import Encoded, Samples, truncated
from chassis.errors import InvalidImage

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_INTEGERS: Final = {1: "B", 3: "H", 4: "I"}
_MAX_ENTRIES: Final = 256
_MAX_VALUE_BYTES: Final = 1 << 20
_MAX_TILE_BYTES: Final = 16 << 20
# No compression, LZW, deflate (two numbers), PackBits. JPEG inside TIFF hides its damage, and
# fax codings hold pages, not photos.
_COMPRESSIONS: Final = frozenset({1, 5, 8, 32773, 32946})

_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION = 254, 256, 257, 258, 259
_STRIP_OFFSETS, _ORIENTATION, _CHANNELS, _STRIP_SIZES = 273, 274, 277, 279
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_SIZES = 322, 323, 324, 325
_PROFILE, _DNG_VERSION = 34675, 50706
# What a decoder needs: the above, and how samples are meant, ordered, predicted and coloured.
_PICTURE: Final = frozenset(
    {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _STRIP_OFFSETS, _CHANNELS, _STRIP_SIZES}
    | {_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_SIZES}
    | {262, 266, 278, 284, 317, 320, 338, 339}
)
_REDUCED: Final = 1  # bit of _SUBFILE: a preview; camera raw files begin with one


def inspect(content: bytes) -> Encoded:
    """Reads the first directory of a TIFF, which is its first page."""
    tags = _Tags(content)
    width, height = tags.number(_WIDTH), tags.number(_HEIGHT)
    if tags.number(_SUBFILE) & _REDUCED or tags.numbers(_DNG_VERSION):
        raise InvalidImage("camera raw, a format that is not accepted")
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
        read=partial(_read, tags, (width, height)),
        orientation=exif.valid(tags.number(_ORIENTATION)),
        profile=tags.value(_PROFILE),
    )


def _read(tags: "_Tags", size: tuple[int, int], max_side: int) -> Samples:
    return pillow.read(tags.rebuilt(), "TIFF", size, max_side)


@dataclass(frozen=True, slots=True)
class _Entry:
    written: bytes
    kind: int
    start: int
    size: int


class _Tags:
    """The entries of a TIFF's first directory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._order = "<" if content[:2] == b"II" else ">"
        try:
            self._entries = self._read()
        except struct.error:
            raise truncated("TIFF") from None
        needed = [entry for tag, entry in self._entries.items() if tag in _PICTURE]
        if sum(entry.size for entry in needed) > _MAX_VALUE_BYTES:
            raise InvalidImage("a TIFF with tags that are too large")
        if max((entry.start + entry.size for entry in needed), default=0) > len(content):
            raise truncated("TIFF")

    def _read(self) -> dict[int, _Entry]:
        (directory,) = struct.unpack_from(self._order + "I", self._content, 4)
        (count,) = struct.unpack_from(self._order + "H", self._content, directory)
        if count > _MAX_ENTRIES:
            raise InvalidImage(f"a TIFF of more than {_MAX_ENTRIES} tags")
        entries = dict[int, _Entry]()
        for place in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, kind, values = struct.unpack_from(self._order + "HHI", self._content, place)
            start, size = place + 8, _SIZES.get(kind, 1) * values
            if size > 4:
                (start,) = struct.unpack_from(self._order + "I", self._content, start)
            entries[tag] = _Entry(self._content[place : place + 12], kind, start, size)
        return entries

    def value(self, tag: int) -> bytes:
        """The bytes of a tag; empty where it is absent."""
        entry = self._entries.get(tag)
        return self._content[entry.start : entry.start + entry.size] if entry else b""

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The whole numbers of a tag; none where it is absent, cut off, or of another type."""
        entry, value = self._entries.get(tag), self.value(tag)
        if entry is None or entry.kind not in _INTEGERS or len(value) < entry.size:
            return ()
        count = entry.size // _SIZES[entry.kind]
        return struct.unpack(f"{self._order}{count}{_INTEGERS[entry.kind]}", value)

    def number(self, tag: int, default: int = 0) -> int:
        """The first whole number of a tag."""
        return next(iter(self.numbers(tag)), default)

    def rebuilt(self) -> bytes:
        """The file with one directory, of the picture alone: what else it says cannot harm."""
        kept = [self._entries[tag].written for tag in sorted(self._entries) if tag in _PICTURE]
        place = len(self._content) + len(self._content) % 2
        head = self._content[:4] + struct.pack(self._order + "I", place)
        body = self._content[8:].ljust(place - 8, b"\0")
        return b"".join((head, body, struct.pack(self._order + "H", len(kept)), *kept, bytes(4)))
