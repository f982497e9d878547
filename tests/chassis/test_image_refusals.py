import random
import struct

import pytest
from PIL import Image

from chassis.errors import InvalidImage
from chassis.images import ImageLimits, decode
from tests.chassis import oddities as odd

PICTURE = odd.quadrants()
LIMITS = ImageLimits()
ENCODED = {
    "jpeg": odd.saved(odd.noise(96, 64), "JPEG"),
    "jpeg progressive": odd.saved(odd.noise(96, 64), "JPEG", progressive=True),
    "png": odd.saved(odd.noise(96, 64), "PNG"),
    "webp": odd.saved(odd.noise(96, 64), "WEBP"),
    "webp lossless": odd.saved(odd.noise(96, 64), "WEBP", lossless=True),
    "gif": odd.saved(odd.noise(96, 64).quantize(64), "GIF"),
    "bmp": odd.saved(odd.noise(96, 64), "BMP"),
    "tiff": odd.saved(odd.noise(96, 64), "TIFF"),
    "tiff LZW": odd.saved(odd.noise(96, 64), "TIFF", compression="tiff_lzw"),
}


def refusal(content, limits=LIMITS):
    with pytest.raises(InvalidImage) as refused:
        decode(content, 480, limits)
    (violation,) = refused.value.violations
    assert violation.field == "image.content"
    return violation.description


NOT_PHOTOS = {
    "nothing": (b"", "empty"),
    "text": (b"hello, I am a photo", "not an image"),
    "html": (b"<html><body>404 not found</body></html>", "not an image"),
    "random bytes": (random.Random(1).randbytes(4096), "not an image"),
    "one byte": (b"\xff", "not an image"),
    "mp4": (b"\0\0\0\x20ftypisom" + bytes(90), "a video (MP4 or QuickTime)"),
    "old quicktime": (b"\0\0\0\x08wide\0\0\x10\0mdat" + bytes(90), "a video (MP4 or QuickTime)"),
    "webm": (b"\x1a\x45\xdf\xa3" + bytes(90), "a video (WebM or Matroska)"),
    "avi": (b"RIFF\0\1\0\0AVI LIST" + bytes(90), "a video (AVI)"),
    "mpeg": (b"\0\0\1\xba" + bytes(90), "a video (MPEG)"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(90), "HEIC, a format"),
    "avif": (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(90), "AVIF, a format"),
    "svg": (b'<?xml version="1.0"?><svg width="1" height="1"/>', "SVG, a format"),
    "bare svg": (b'\n <svg xmlns="http://www.w3.org/2000/svg"/>', "SVG, a format"),
    "pdf": (b"%PDF-1.7\n" + bytes(90), "PDF, a format"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n" + bytes(90), "PostScript, a format"),
    "photoshop": (b"8BPS\0\1" + bytes(90), "Photoshop, a format"),
    "jpeg xl": (b"\xff\x0a" + bytes(90), "JPEG XL, a format"),
    "bigtiff": (b"II+\0\x08\0\0\0" + bytes(90), "BigTIFF, a format"),
}


@pytest.mark.parametrize(("content", "reason"), NOT_PHOTOS.values(), ids=NOT_PHOTOS)
def test_what_is_no_photo_is_called_what_it_is(content, reason):
    assert refusal(content).startswith(reason)


def test_a_refused_format_says_which_are_accepted():
    assert "JPEG, PNG, WebP, GIF, BMP or TIFF" in refusal(b"%PDF-1.7\n")


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("content", ENCODED.values(), ids=ENCODED)
def test_a_file_cut_anywhere_is_refused(content, share):
    assert "truncated" in refusal(content[: int(len(content) * share)])


# Many programs leave out a GIF's last byte, and its frame is whole without.
@pytest.mark.parametrize("name", sorted(ENCODED.keys() - {"gif"}))
def test_a_file_that_lacks_its_last_bytes_is_refused(name):
    assert "truncated" in refusal(ENCODED[name][:-2])


def test_a_gif_without_its_trailer_is_whole():
    assert decode(ENCODED["gif"].removesuffix(b";"), 96, LIMITS).width == 96


@pytest.mark.parametrize("cut", [20, 300, 600])
def test_the_headers_alone_are_refused(cut):
    assert "truncated" in refusal(ENCODED["jpeg"][:cut])


def test_corrupt_jpeg_data_are_refused_although_they_decode():
    generator, content = random.Random(3), ENCODED["jpeg"]
    scan = content.index(b"\xff\xda") + 14
    refused = 0
    for _ in range(200):
        damaged = bytearray(content)
        for at in generator.sample(range(scan, len(content) - 2), 8):
            damaged[at] = generator.randrange(1, 255)
        try:
            decode(bytes(damaged), 96, LIMITS)
        except InvalidImage:
            refused += 1

    assert refused >= 195  # JPEG has no checksum: now and then damaged data are valid data


def test_an_excess_of_jpeg_data_is_refused():
    content = ENCODED["jpeg"]

    assert "corrupt" in refusal(content[:-2] + b"\x12\x34\x56\x78" * 16 + content[-2:])


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT", b"IEND"])
def test_a_wrong_checksum_in_a_png_is_refused(kind):
    damaged = bytearray(ENCODED["png"])
    at = damaged.index(kind) + 4 + int.from_bytes(damaged[damaged.index(kind) - 4 :][:4], "big")
    damaged[at] ^= 1

    assert f"the checksum of a {kind.decode()} chunk" in refusal(bytes(damaged))


def test_a_gif_with_too_few_pixels_is_refused():
    assert "damaged GIF" in refusal(odd.gif(40, 40, odd.gif_frame(0, 0, 40, 40)))


def sof(kind, precision=8):
    frame = struct.pack(">BHHB", precision, 8, 8, 1) + b"\1\x11\0"
    return (
        b"\xff\xd8" + odd.segment(kind, frame) + odd.segment(0xDA, b"\1\1\0\0\x3f\0") + b"\xff\xd9"
    )


RARE = {
    "lossless jpeg": (sof(0xC3), "JPEG of a rare kind"),
    "arithmetic jpeg": (sof(0xC9), "JPEG of a rare kind"),
    "12-bit jpeg": (sof(0xC1, precision=12), "JPEG of a rare kind"),
    "jpeg without a frame": (b"\xff\xd8\xff\xfe\0\2\xff\xd9", "without a picture"),
    "png without a picture": (
        odd.PNG_SIGNATURE
        + odd.chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0))
        + odd.chunk(b"IEND", b""),
        "without a picture",
    ),
    "png of an unknown kind": (odd.png(4, 4, colour=5), "header"),
    "run-length bmp": (
        b"BM" + struct.pack("<IHHIIiiHHII", 0, 0, 0, 54, 40, 8, 8, 1, 8, 1, 0) + bytes(200),
        "compressed BMP",
    ),
    "jpeg in tiff": (odd.saved(PICTURE, "TIFF", compression="jpeg"), "compression"),
    "fax in tiff": (odd.saved(PICTURE.convert("1"), "TIFF", compression="group4"), "compression"),
    "float tiff": (odd.saved(Image.new("F", (8, 8)), "TIFF"), "32 bits"),
    "camera raw": (odd.saved(PICTURE, "TIFF", tiffinfo={50706: b"\1\4\0\0"}), "camera raw"),
    "preview first": (odd.saved(PICTURE, "TIFF", tiffinfo={254: 1}), "camera raw"),
}


@pytest.mark.parametrize(("content", "reason"), RARE.values(), ids=RARE)
def test_what_cannot_be_decoded_right_is_refused(content, reason):
    assert reason in refusal(content)


HUGE = {
    "png": odd.png(20_000, 20_000, bits=1, colour=0),
    "gif screen": odd.gif(65_535, 65_535, odd.gif_frame(0, 0, 1, 1)),
    "gif frame beyond its screen": odd.gif(1, 1, odd.gif_frame(0, 0, 65_535, 65_535)),
    "webp": b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + b"\xff\xff\xff" * 2,
    "tiff": odd.tiff((256, 4, 1, 1 << 31), (257, 4, 1, 1 << 31)),
    "jpeg": b"\xff\xd8"
    + odd.segment(0xC0, struct.pack(">BHHB", 8, 65_500, 65_500, 1) + b"\1\x11\0")
    + odd.segment(0xDA, b"\1\1\0\0\x3f\0")
    + b"\xff\xd9",
}


@pytest.mark.parametrize("content", HUGE.values(), ids=HUGE)
def test_a_small_file_of_a_huge_picture_is_refused_by_its_size(content):
    assert "pixels, more than the 100,000,000 allowed" in refusal(content)


@pytest.mark.parametrize("size", [(0, 0), (0, 9), (9, 0)])
def test_a_picture_without_pixels_is_refused(size):
    empty = odd.gif(*size, odd.gif_frame(0, 0, *size))

    assert f"{size[0]}x{size[1]} pixels" in refusal(empty)


def test_a_photo_that_unpacks_to_too_much_is_refused():
    description = refusal(odd.png(9000, 9000, bits=16, colour=6))

    assert "9000x9000 pixels of png that unpack to 648,009,000 bytes, more than" in description


def test_a_jpeg_of_many_scans_is_refused():
    jpeg = odd.saved(Image.new("RGB", (2000, 1500)), "JPEG", progressive=True)
    scan = jpeg.index(b"\xff\xda")
    first = jpeg[scan : jpeg.index(b"\xff", scan + 2 + 12)]

    assert "that unpack to" in refusal(jpeg[:scan] + first * 400 + jpeg[scan:])


def test_each_limit_is_a_setting():
    png = ENCODED["png"]

    assert "bytes, more than the 1,000 allowed" in refusal(png, ImageLimits(max_bytes=1000))
    assert "96x64 pixels, more than the 6,000 allowed" in refusal(png, ImageLimits(max_pixels=6000))
    assert "that unpack to" in refusal(png, ImageLimits(max_unpacked=100))


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
def test_an_animation_of_many_frames_is_refused(name):
    later = [Image.new("RGB", (8, 8), (level, 0, 0)) for level in range(20, 200, 20)]
    content = odd.saved(Image.new("RGB", (8, 8)), name, save_all=True, append_images=later)

    assert decode(content, 8, ImageLimits(max_frames=10)).width == 8
    assert "10 frames, more than the 9 allowed" in refusal(content, ImageLimits(max_frames=9))


CUT_TO_PIECES = {
    "png": odd.PNG_SIGNATURE
    + odd.chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0))
    + odd.chunk(b"IDAT", b"") * 60_000,
    "jpeg": b"\xff\xd8" + b"\xff\xfe\0\2" * 20_000,
    "gif": odd.gif(4, 4, odd.gif_frame(0, 0, 4, 4, b"\2" + b"\1D" * 500_000 + b"\0")),
    "webp": b"RIFF" + struct.pack("<I", 4 + 8 * 20_000) + b"WEBP" + b"EXIF\0\0\0\0" * 20_000,
    "tiff": odd.tiff(*((tag, 3, 1, 1) for tag in range(300, 700))),
}


@pytest.mark.parametrize("content", CUT_TO_PIECES.values(), ids=CUT_TO_PIECES)
def test_a_file_made_of_very_many_pieces_is_refused(content):
    assert "of more than" in refusal(content)


def test_tiff_tags_that_all_point_at_the_same_bytes_are_refused():
    entries = ((tag, 1, 900_000, 8) for tag in (262, 273, 279, 320))

    assert "tags that are too large" in refusal(odd.tiff(*entries, body=bytes(900_000)))


def test_a_tiff_with_giant_tiles_is_refused():
    entries = [(256, 4, 1, 1), (257, 4, 1, 1), (322, 4, 1, 65_520), (323, 4, 1, 65_520)]

    assert "tiles that are too large" in refusal(odd.tiff(*entries))
