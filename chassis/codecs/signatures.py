"""What a file is, by its first bytes: names and content types given by callers are not believed."""

from collections.abc import Callable, Mapping
from typing import Final

from chassis.codecs import bmp, gif, jpeg, png, tiff, webp
from chassis.codecs.encoded import Encoded
from chassis.errors import InvalidImage

_CODECS: Final[Mapping[bytes, Callable[[bytes], Encoded]]] = {
    b"\xff\xd8\xff": jpeg.inspect,
    b"\x89PNG\r\n\x1a\n": png.inspect,
    b"GIF87a": gif.inspect,
    b"GIF89a": gif.inspect,
    b"BM": bmp.inspect,
    b"II*\0": tiff.inspect,
    b"MM\0*": tiff.inspect,
}
_VIDEO: Final = "a video ({}), and videos are not accepted"
_PICTURE: Final = "{}, a format that is not accepted"
_REFUSED: Final[Mapping[bytes, str]] = {
    b"\x1a\x45\xdf\xa3": _VIDEO.format("WebM or Matroska"),
    b"FLV\x01": _VIDEO.format("Flash"),
    b"OggS": _VIDEO.format("Ogg"),
    b"\0\0\x01\xba": _VIDEO.format("MPEG"),
    b"\0\0\x01\xb3": _VIDEO.format("MPEG"),
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": _VIDEO.format("Windows Media"),
    b"%PDF": _PICTURE.format("PDF"),
    b"%!PS": _PICTURE.format("PostScript"),
    b"8BPS": _PICTURE.format("Photoshop"),
    b"II+\0": _PICTURE.format("BigTIFF"),
    b"MM\0+": _PICTURE.format("BigTIFF"),
    b"\0\0\x01\0": _PICTURE.format("Windows icon"),
    b"\xff\x0a": _PICTURE.format("JPEG XL"),
    b"\0\0\0\x0cJXL ": _PICTURE.format("JPEG XL"),
    b"\0\0\0\x0cjP  ": _PICTURE.format("JPEG 2000"),
    b"\xff\x4f\xff\x51": _PICTURE.format("JPEG 2000"),
}
# ISO base media: a box type at byte 4, and for `ftyp` a brand at byte 8.
_BOXES: Final = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})
_BRANDS: Final[Mapping[bytes, str]] = {
    **dict.fromkeys((b"avif", b"avis"), _PICTURE.format("AVIF")),
    **dict.fromkeys(
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"),
        _PICTURE.format("HEIC"),
    ),
    b"crx ": _PICTURE.format("camera raw"),
}
_ACCEPTED: Final = "send JPEG, PNG, WebP, GIF, BMP or TIFF"


def inspect(content: bytes) -> Encoded:
    """Finds the codec for a file and has it checked; raises InvalidImage where there is none."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return webp.inspect(content)
    for signature, codec in _CODECS.items():
        if content.startswith(signature):
            return codec(content)
    raise InvalidImage(f"{_refusal(content[:1024])}: {_ACCEPTED}")


def _refusal(head: bytes) -> str:
    if head[4:8] in _BOXES:
        return _BRANDS.get(head[8:12], _VIDEO.format("MP4 or QuickTime"))
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _VIDEO.format("AVI")
    for signature, refusal in _REFUSED.items():
        if head.startswith(signature):
            return refusal
    if b"<svg" in head and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _PICTURE.format("SVG")
    return "not an image"
