"""JPEG: checked marker by marker, decoded by libjpeg-turbo at the scale that is wanted."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import simplejpeg  # type: ignore[import-untyped]  # has types, but does not say so

from chassis.codecs import exif, pillow
from chassis.codecs.encoded import Encoded, Samples, truncated
from chassis.errors import InvalidImage

# An FF byte followed by neither 00 (an escaped FF within a scan), a restart nor a fill byte.
_MARKER: Final = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN = 0xD8, 0xD9, 0xDA
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # those three are tables
_HUFFMAN_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
_PROGRESSIVE: Final = 0xC2
_JFIF, _EXIF, _ICC = (0xE0, b"JFIF\0"), (0xE1, b"Exif\0\0"), (0xE2, b"ICC_PROFILE\0")
_MAX_SEGMENTS: Final = 10_000  # a photo has a few hundred at most
_BLOCK_BYTES: Final = 128  # 64 coefficients of 16 bits, kept until the last scan
_VISIT_BYTES: Final = 4  # what a scan's visit to a block costs in time, as bytes written


def inspect(content: bytes) -> Encoded:
    """Reads the markers of a JPEG up to the end of its first picture.

    What follows (further pictures, a video, padding) is ignored: phones append much.
    """
    frame, visits, scans = None, 0, 0
    orientation, profile = exif.UPRIGHT, dict[int, bytes]()
    for marker, segment, start in _segments(content):
        if marker in _FRAMES and frame is None:
            frame = _Frame.parse(marker, segment)
        elif marker == _START_OF_SCAN and frame is not None:
            scans += 1
            visits += frame.blocks_of(segment)
        elif marker == _JFIF[0] and segment.startswith(_JFIF[1]):
            # libjpeg warns of a revision that it does not know, and then of nothing else.
            content = content[: start + 5] + b"\1" + content[start + 6 :]
        elif marker == _EXIF[0] and segment.startswith(_EXIF[1]):
            orientation = exif.orientation(segment)
        elif marker == _ICC[0] and segment.startswith(_ICC[1]):
            number, part = segment[12:13], segment[14:]
            profile[ord(number or b"\0")] = part
    if frame is None or not scans:
        raise InvalidImage("a JPEG without a picture")
    streamed = scans == 1 and not frame.progressive
    kept = 0 if streamed else _BLOCK_BYTES * sum(frame.blocks.values())
    read = partial(_read, content, frame.width, frame.height)
    if not _usual(content):
        kept += frame.width * frame.height * pillow.bytes_per_pixel(3, 8)
        read = partial(pillow.read, content, "JPEG")
    return Encoded(
        format="jpeg",
        width=frame.width,
        height=frame.height,
        unpacked=kept + _VISIT_BYTES * visits,
        read=read,
        orientation=orientation,
        profile=b"".join(profile[number] for number in sorted(profile)),
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    progressive: bool
    width: int
    height: int
    blocks: dict[int, int]  # of 8x8 samples, by component

    @classmethod
    def parse(cls, marker: int, segment: bytes) -> "_Frame":
        try:
            precision, height, width, components = struct.unpack_from(">BHHB", segment)
            factors = [struct.unpack_from(">BB", segment, 6 + 3 * i) for i in range(components)]
        except struct.error:
            raise InvalidImage("a damaged JPEG: its frame header is too short") from None
        if marker not in _HUFFMAN_FRAMES or precision != 8:
            raise InvalidImage("a JPEG of a rare kind: accepted are 8 bits, Huffman coded")
        sampling = {identifier: (max(1, hv >> 4), max(1, hv & 15)) for identifier, hv in factors}
        widest = max((h for h, _ in sampling.values()), default=1)
        tallest = max((v for _, v in sampling.values()), default=1)
        units = -(-width // (8 * widest)) * -(-height // (8 * tallest))
        blocks = {identifier: units * h * v for identifier, (h, v) in sampling.items()}
        return cls(marker == _PROGRESSIVE, width, height, blocks)

    def blocks_of(self, scan: bytes) -> int:
        """How many blocks a scan with this header visits."""
        count = scan[0] if scan else 0
        return sum(self.blocks.get(identifier, 0) for identifier in scan[1 : 1 + 2 * count : 2])


def _segments(content: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Markers with their segments' bodies and where these begin, up to the first picture's end."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        marker = _MARKER.search(content, position)
        if marker is None:
            raise truncated("JPEG")
        code, start = marker[1][0], marker.end()
        if code == _END_OF_IMAGE:
            return
        length = int.from_bytes(content[start : start + 2], "big")
        position = start + length
        if length < 2 or position > len(content):
            raise truncated("JPEG")
        yield code, content[start + 2 : position], start + 2
    raise InvalidImage(f"a JPEG of more than {_MAX_SEGMENTS} segments")


def _usual(content: bytes) -> bool:
    """Whether TurboJPEG takes this header: it knows the common ways to subsample colour only."""
    try:
        simplejpeg.decode_jpeg_header(content)
    except ValueError:
        return False
    return True


def _read(content: bytes, width: int, height: int, max_side: int) -> Samples:
    wide = width >= height
    # Scales between a half and the whole take longer than the whole.
    wanted = {
        "min_width": max_side if wide else 1,
        "min_height": 1 if wide else max_side,
        "min_factor": 2,
    }
    try:
        rows, columns, space, _ = simplejpeg.decode_jpeg_header(content)
        if (rows, columns) != (height, width):
            raise InvalidImage("a damaged JPEG: it states two sizes")
        target = "CMYK" if space in ("CMYK", "YCCK") else "RGB"
        # Strict, since libjpeg only warns of corrupt data, and makes up the pixels.
        samples: Samples = simplejpeg.decode_jpeg(content, target, strict=True, **wanted)
        return samples
    except ValueError as problem:
        raise InvalidImage("a damaged JPEG: its data are corrupt or incomplete") from problem
