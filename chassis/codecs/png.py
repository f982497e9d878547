"""PNG: every checksum verified, then decoded from its picture's chunks alone."""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from chassis.codecs import exif, pillow
from chassis.codecs.encoded import Encoded, Samples, truncated
from chassis.errors import InvalidImage

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_MAX_CHUNKS: Final = 50_000  # 20 MiB in pieces of 400 bytes; encoders write 8 KiB and more
_MAX_PROFILE_BYTES: Final = 1 << 20
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # stored, by colour type
_PALETTE: Final = 3
_CRITICAL: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})


def inspect(content: bytes) -> Encoded:
    """Reads the chunks of a PNG. A wrong checksum costs metadata its say, and a picture its answer.

    An animated PNG shows its default image, as a viewer without animation does.
    """
    chunks, picture = dict[bytes, memoryview](), list[memoryview]()
    for kind, body in _chunks(content):
        if kind == b"IDAT":
            picture.append(body)
        else:
            chunks.setdefault(kind, body)
    try:
        width, height, bits, colour = struct.unpack_from(">IIBB", chunks[b"IHDR"])
        channels = _CHANNELS[colour]
    except (struct.error, KeyError):
        raise InvalidImage("a damaged PNG: its header is missing or invalid") from None
    if not picture:
        raise InvalidImage("a PNG without a picture")
    shown = 3 if colour == _PALETTE or b"tRNS" in chunks else channels
    stored = width * height * pillow.bytes_per_pixel(shown, bits)
    inflated = height * (1 + -(-width * channels * bits // 8))
    return Encoded(
        format="png",
        width=width,
        height=height,
        unpacked=max(stored, inflated),
        read=partial(_read, chunks, picture, (width, height)),
        frames=_frames(chunks),
        orientation=exif.orientation(bytes(chunks.get(b"eXIf", b""))),
        profile=_profile(bytes(chunks.get(b"iCCP", b""))),
    )


def _chunks(content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view, position = memoryview(content), len(_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        length = int.from_bytes(view[position : position + 4], "big")
        kind = content[position + 4 : position + 8]
        end = position + 12 + length
        if end > len(content):
            raise truncated("PNG")
        body = view[position + 8 : end - 4]
        if zlib.crc32(body, zlib.crc32(kind)) == int.from_bytes(view[end - 4 : end], "big"):
            yield kind, body
        elif kind in _CRITICAL or kind == b"tRNS":
            raise InvalidImage(f"a damaged PNG: the checksum of a {kind.decode()} chunk is wrong")
        if kind == b"IEND":
            return
        position = end
    raise InvalidImage(f"a PNG of more than {_MAX_CHUNKS} chunks")


def _read(
    chunks: Mapping[bytes, memoryview],
    picture: Sequence[memoryview],
    size: tuple[int, int],
    max_side: int,
) -> Samples:
    """Decodes a PNG made of the picture alone: what else was in the file cannot cost or break."""
    kept = [(kind, bytes(chunks[kind])) for kind in (b"IHDR", b"PLTE", b"tRNS") if kind in chunks]
    parts = [_SIGNATURE]
    for kind, body in (*kept, (b"IDAT", b"".join(picture)), (b"IEND", b"")):
        checksum = zlib.crc32(body, zlib.crc32(kind))
        parts += [len(body).to_bytes(4, "big"), kind, body, checksum.to_bytes(4, "big")]
    return pillow.read(b"".join(parts), "PNG", size, max_side)


def _frames(chunks: Mapping[bytes, memoryview]) -> int:
    return int.from_bytes(chunks.get(b"acTL", b"")[:4], "big") or 1


def _profile(body: bytes) -> bytes:
    """The ICC profile in an iCCP chunk; empty where it is broken or unpacks to too much."""
    packed = body.partition(b"\0")[2][1:]
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(packed, _MAX_PROFILE_BYTES)
    except zlib.error:
        return b""
    return profile if inflater.eof else b""
