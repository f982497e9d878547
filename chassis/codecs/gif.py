"""GIF: its blocks checked, the first frame decoded by Pillow."""

import struct
from functools import partial
from typing import Final

from chassis.codecs import pillow
from chassis.codecs.encoded import Encoded, truncated
from chassis.errors import InvalidImage

_IMAGE, _EXTENSION, _TRAILER = 0x2C, 0x21, 0x3B
_GRAPHIC_CONTROL: Final = 0xF9
# 20 MiB are 82,000 full blocks; a file cut into much smaller ones is made to be slow to read.
_MAX_BLOCKS: Final = 400_000


def inspect(content: bytes) -> Encoded:
    """Reads the blocks of a GIF; keeps the first frame with what it needs to be shown."""
    if len(content) < 13:
        raise truncated("GIF")
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    blocks = _Blocks(content, 13 + _table_bytes(flags))
    header = content[: blocks.position]
    control, first, frames = b"", b"", 0
    while kind := blocks.introducer():
        start = blocks.position - 1
        if kind == _IMAGE:
            left, top, wide, high, local = blocks.unpack("<HHHHB")
            blocks.skip(_table_bytes(local) + 1)
            blocks.skip_data()
            frames += 1
            if frames == 1:
                first = content[start : blocks.position]
                # Pillow enlarges the screen for a frame that leaves it.
                width, height = max(width, left + wide), max(height, top + high)
        else:
            (label,) = blocks.unpack("<B")
            blocks.skip_data()
            if label == _GRAPHIC_CONTROL and not frames:
                control = content[start : blocks.position]
    if not first:
        raise truncated("GIF")
    shown = header + control + first + bytes([_TRAILER])
    return Encoded(
        format="gif",
        width=width,
        height=height,
        unpacked=width * height * pillow.bytes_per_pixel(3, 8),
        read=partial(pillow.read, shown, "GIF", (width, height)),
        frames=frames,
    )


class _Blocks:
    """A position in a GIF that never passes its end."""

    def __init__(self, content: bytes, position: int) -> None:
        self._content = content
        self._left = _MAX_BLOCKS
        self.position = 0
        self.skip(position)

    def introducer(self) -> int:
        """The next block's kind; 0 at the trailer, or where a file ends between two blocks."""
        if self.position == len(self._content):
            return 0
        (kind,) = self.unpack("<B")
        if kind == _TRAILER:
            return 0
        if kind not in (_IMAGE, _EXTENSION):
            raise InvalidImage("a damaged GIF: it is not made of the blocks a GIF has")
        return int(kind)

    def unpack(self, layout: str) -> tuple[int, ...]:
        start = self.position
        self.skip(struct.calcsize(layout))
        return struct.unpack_from(layout, self._content, start)

    def skip(self, size: int) -> None:
        self.position += size
        if self.position > len(self._content):
            raise truncated("GIF")

    def skip_data(self) -> None:
        """Passes sub-blocks up to the empty one that ends them."""
        content, position, left = self._content, self.position, self._left
        size = 1
        while size and left:
            if position >= len(content):
                raise truncated("GIF")
            size = content[position]
            position += 1 + size
            left -= 1
        if not left:
            raise InvalidImage(f"a GIF of more than {_MAX_BLOCKS} blocks")
        self._left = left
        self.skip(position - self.position)


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
