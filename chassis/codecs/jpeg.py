"""JPEG: checked marker by marker, decoded by libjpeg-turbo at the scale that is wanted."""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import simplejpeg

from chassis.codecs import colour, exif, pillow
from chassis.codecs.encoded import Encoded, Samples, truncated
from chassis.errors import InvalidImage

# An FF byte followed by neither 00 (an escaped FF within a scan), a restart nor a fill byte.
_MARKER: Final = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_END_OF_IMAGE, _START_OF_SCAN, _APP0, _APP1, _APP2 = 0xD9, 0xDA, 0xE0, 0xE1, 0xE2
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # those three are tables
_HUFFMAN_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
_PROGRESSIVE: Final = 0xC2
_JFIF, _EXIF, _ICC = b"JFIF\0", b"Exif\0\0", b"ICC_PROFILE\0"
_MAX_SEGMENTS: Final = 10_000  # a photo has a few hundred at most
_BLOCK_BYTES: Final = 128  # 64 coefficients of 16 bits, kept until the last scan
_VISIT_BYTES: Final = 4  # what a scan's visit to a block costs in time, as bytes written
# What is decoded to hardly more than the side wanted is blurred by the step that remains: 32 dB
# against 40 for 12 megapixels at 504 instead of 1008 pixels, of which 480 are wanted.
_MARGIN: Final = 1.5
_MIN_FACTOR: Final = 2  # scales between a half and the whole take longer than the whole


def inspect(content: bytes) -> Encoded:
    """Reads the markers of a JPEG up to the end of its first picture.

    What follows (further pictures, a video, padding) is ignored: phones append much.
    """
    segments = tuple(_segments(content))
    frames = [_Frame.parse(segment) for segment in segments if segment.marker in _FRAMES]
    scans = [segment.body for segment in segments if segment.marker == _START_OF_SCAN]
    if not frames or not scans:
        raise InvalidImage("a JPEG without a picture")
    frame, content, profile = frames[0], _repaired(content, segments), _profile(segments)
    unpacked = _VISIT_BYTES * sum(frame.blocks_of(scan) for scan in scans)
    if frame.progressive or len(scans) > 1:
        unpacked += _BLOCK_BYTES * sum(frame.blocks.values())
    read = partial(_read, content, frame.width, frame.height, profile)
    if not _usual(content):
        unpacked += frame.width * frame.height * pillow.bytes_per_pixel(3, 8)
        read = partial(pillow.read, content, "JPEG", (frame.width, frame.height))
    return Encoded(
        format="jpeg",
        width=frame.width,
        height=frame.height,
        unpacked=unpacked,
        read=read,
        orientation=_orientation(segments),
        profile=b"" if len(frame.blocks) == len("CMYK") else profile,
    )


class _Segment(NamedTuple):
    marker: int
    body: bytes
    start: int  # of the body, in the file


@dataclass(frozen=True, slots=True)
class _Frame:
    progressive: bool
    width: int
    height: int
    blocks: dict[int, int]  # of 8x8 samples, by component

    @classmethod
    def parse(cls, segment: _Segment) -> "_Frame":
        marker, body, _ = segment
        try:
            precision, height, width, components = struct.unpack_from(">BHHB", body)
            factors = [struct.unpack_from(">BB", body, 6 + 3 * i) for i in range(components)]
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


def _segments(content: bytes) -> Iterator[_Segment]:
    """What lies before the end of the first picture, without the scans' data."""
    position = 2
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.search(content, position)
        if found is None:
            raise truncated("JPEG")
        marker, start = found[1][0], found.end()
        if marker == _END_OF_IMAGE:
            return
        position = start + int.from_bytes(content[start : start + 2], "big")
        if not start + 2 <= position <= len(content):
            raise truncated("JPEG")
        yield _Segment(marker, content[start + 2 : position], start + 2)
    raise InvalidImage(f"a JPEG of more than {_MAX_SEGMENTS} segments")


def _repaired(content: bytes, segments: Sequence[_Segment]) -> bytes:
    """The file with each JFIF revision known: else libjpeg warns of that, and then of no damage."""
    unknown = [
        segment.start + len(_JFIF)
        for segment in segments
        if segment.marker == _APP0
        and segment.body.startswith(_JFIF)
        and segment.body[len(_JFIF) : len(_JFIF) + 1] not in (b"", b"\1")
    ]
    if not unknown:
        return content
    repaired = bytearray(content)
    for revision in unknown:
        repaired[revision] = 1
    return bytes(repaired)


def _orientation(segments: Sequence[_Segment]) -> int:
    for marker, body, _ in segments:
        if marker == _APP1 and body.startswith(_EXIF):
            return exif.orientation(body)
    return exif.UPRIGHT


def _profile(segments: Sequence[_Segment]) -> bytes:
    """The ICC profile, put together in the order that its parts state."""
    parts = [s.body[len(_ICC) :] for s in segments if s.marker == _APP2 and s.body.startswith(_ICC)]
    return b"".join(part[2:] for part in sorted(parts, key=lambda part: part[:1]))


def _usual(content: bytes) -> bool:
    """Whether TurboJPEG takes this header: it knows the common ways to subsample colour only."""
    try:
        simplejpeg.decode_jpeg_header(content)
    except ValueError:
        return False
    return True


def _read(content: bytes, width: int, height: int, profile: bytes, max_side: int) -> Samples:
    wide, side = width >= height, int(max_side * _MARGIN)
    wanted = {"min_width": side if wide else 1, "min_height": 1 if wide else side}
    try:
        rows, columns, space, _ = simplejpeg.decode_jpeg_header(content)
        if (rows, columns) != (height, width):
            raise InvalidImage("a damaged JPEG: it states two sizes")
        inks = space in ("CMYK", "YCCK")
        # Strict, since libjpeg only warns of corrupt data, and makes up the pixels.
        samples: Samples = simplejpeg.decode_jpeg(
            content, "CMYK" if inks else "RGB", strict=True, min_factor=_MIN_FACTOR, **wanted
        )
        return colour.from_cmyk(samples, profile) if inks else samples
    except ValueError as problem:
        raise InvalidImage("a damaged JPEG: its data are corrupt or incomplete") from problem
