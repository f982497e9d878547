import hashlib
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chassis.errors import InvalidImage
from chassis.images import ImageLimits, Pixels, decode, pixels_from_raw, shrink
from tests.chassis import oddities as odd

PHOTOS = Path(__file__).parents[1] / "photos"
COLOURS = np.array([odd.RED, odd.GREEN, odd.BLUE, odd.YELLOW])
LIMITS = ImageLimits()
PICTURE = odd.quadrants()


def seen(content, max_side=480):
    return decode(content, max_side, LIMITS)


def assert_shows(photo, colours=COLOURS, tolerance=12):
    np.testing.assert_allclose(odd.corners(photo.pixels.array), colours, atol=tolerance)


def grey16():
    levels = np.asarray(PICTURE.convert("L")).astype(np.uint16) * 257
    return Image.fromarray(levels)


def rgb16_png():
    rows = (np.asarray(PICTURE).astype(">u2") * 257).tobytes()
    step = odd.WIDTH * 6
    pixels = b"".join(b"\0" + rows[at : at + step] for at in range(0, len(rows), step))
    return odd.png(odd.WIDTH, odd.HEIGHT, bits=16, pixels=pixels)


def top_down_bmp():
    bmp = bytearray(odd.saved(PICTURE.transpose(Image.Transpose.FLIP_TOP_BOTTOM), "BMP"))
    bmp[22:26] = (-odd.HEIGHT).to_bytes(4, "little", signed=True)
    return bytes(bmp)


def cmyk_without_adobe_marker():
    jpeg = odd.saved(PICTURE.convert("CMYK"), "JPEG", quality=95)
    at = jpeg.index(b"\xff\xee")
    return jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big") :]


IN_COLOUR = {
    "jpeg baseline": odd.saved(PICTURE, "JPEG", quality=95),
    "jpeg progressive": odd.saved(PICTURE, "JPEG", quality=95, progressive=True),
    "jpeg 4:4:4": odd.saved(PICTURE, "JPEG", quality=95, subsampling=0),
    "jpeg with restarts": odd.saved(PICTURE, "JPEG", quality=95, restart_marker_blocks=2),
    "jpeg in RGB": odd.saved(PICTURE, "JPEG", quality=95, keep_rgb=True),
    "jpeg CMYK": odd.saved(PICTURE.convert("CMYK"), "JPEG", quality=95),
    "jpeg CMYK without Adobe's marker": cmyk_without_adobe_marker(),
    "png": odd.saved(PICTURE, "PNG"),
    "png palette": odd.saved(PICTURE.quantize(16), "PNG"),
    "png 16 bits": rgb16_png(),
    "png opaque alpha": odd.saved(PICTURE.convert("RGBA"), "PNG"),
    "webp lossy": odd.saved(PICTURE, "WEBP", quality=95),
    "webp lossless": odd.saved(PICTURE, "WEBP", lossless=True),
    "gif": odd.saved(PICTURE.quantize(16), "GIF"),
    "bmp": odd.saved(PICTURE, "BMP"),
    "bmp 32 bits": odd.saved(PICTURE.convert("RGBA"), "BMP"),
    "bmp palette": odd.saved(PICTURE.quantize(16), "BMP"),
    "bmp stored from the top": top_down_bmp(),
    "tiff": odd.saved(PICTURE, "TIFF"),
    "tiff LZW": odd.saved(PICTURE, "TIFF", compression="tiff_lzw"),
    "tiff deflate": odd.saved(PICTURE, "TIFF", compression="tiff_adobe_deflate"),
    "tiff PackBits": odd.saved(PICTURE, "TIFF", compression="packbits"),
    "tiff palette": odd.saved(PICTURE.quantize(16), "TIFF"),
    "tiff CMYK": odd.saved(PICTURE.convert("CMYK"), "TIFF"),
}
IN_GREY = {
    "jpeg": odd.saved(PICTURE.convert("L"), "JPEG", quality=95),
    "png": odd.saved(PICTURE.convert("L"), "PNG"),
    "png 16 bits": odd.saved(grey16(), "PNG"),
    "png with alpha": odd.saved(PICTURE.convert("LA"), "PNG"),
    "tiff": odd.saved(PICTURE.convert("L"), "TIFF"),
    "tiff 16 bits": odd.saved(grey16(), "TIFF", compression="tiff_lzw"),
    "bmp": odd.saved(PICTURE.convert("L"), "BMP"),
}


@pytest.mark.parametrize("content", IN_COLOUR.values(), ids=IN_COLOUR)
def test_colours_are_those_of_the_picture(content):
    photo = seen(content)

    assert (photo.width, photo.height) == (odd.WIDTH, odd.HEIGHT)
    assert_shows(photo)


@pytest.mark.parametrize("content", IN_GREY.values(), ids=IN_GREY)
def test_grey_is_shown_as_equal_parts_of_red_green_and_blue(content):
    levels = odd.corners(np.asarray(PICTURE.convert("L"))[:, :, None])

    assert_shows(seen(content), np.repeat(levels, 3, axis=1), tolerance=4)


@pytest.mark.parametrize("name", ["PNG", "BMP", "TIFF"])
def test_one_bit_a_pixel_is_black_and_white(name):
    half = Image.new("1", (32, 32))
    half.paste(1, (0, 0, 32, 16))

    photo = seen(odd.saved(half, name))

    assert photo.pixels.array[4, 4].tolist() == [255, 255, 255]
    assert photo.pixels.array[28, 28].tolist() == [0, 0, 0]


@pytest.mark.parametrize("photo", sorted(PHOTOS.glob("*.*g")), ids=lambda path: path.name)
def test_real_photos_look_as_pillow_shows_them(photo):
    decoded = decode(photo.read_bytes(), 10_000, LIMITS).pixels.array
    with Image.open(photo) as image:
        expected = np.asarray(image.convert("RGB")).astype(int)

    assert np.abs(decoded - expected).mean() < 1


def test_it_says_what_was_sent():
    content = IN_COLOUR["webp lossy"]

    photo = seen(content)

    assert photo.format == "webp"
    assert photo.sha256 == hashlib.sha256(content).digest()


def test_pixels_are_contiguous_and_cannot_be_written():
    pixels = seen(odd.saved(PICTURE, "JPEG", exif=odd.exif(6))).pixels

    assert pixels.array.flags.c_contiguous
    assert not pixels.array.flags.writeable
    assert pixels.array.dtype == np.uint8


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(name, orientation):
    tiff = name == "TIFF"
    options = {"tiffinfo": {274: orientation}} if tiff else {"exif": odd.exif(orientation)}
    content = odd.saved(odd.stored(PICTURE, orientation), name, **options)

    photo = seen(content)

    assert (photo.width, photo.height) == (odd.WIDTH, odd.HEIGHT)
    assert (photo.pixels.width, photo.pixels.height) == (odd.WIDTH, odd.HEIGHT)
    assert_shows(photo, tolerance=30)


def test_an_orientation_in_big_endian_counts_too():
    content = odd.saved(odd.stored(PICTURE, 6), "JPEG", exif=odd.exif(6, order=">"))

    assert_shows(seen(content), tolerance=30)


BROKEN_EXIF = {
    "orientation 0": odd.exif(0),
    "orientation 9": odd.exif(9),
    "cut": odd.exif(6)[:14],
    "pointing nowhere": b"Exif\0\0II*\0\xff\xff\xff\xff",
    "of no byte order": b"Exif\0\0" + b"\x99" * 60,
    "claiming 65535 entries": b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(40),
}


@pytest.mark.parametrize("block", BROKEN_EXIF.values(), ids=BROKEN_EXIF)
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_broken_exif_leaves_the_photo_as_stored(name, block):
    if name == "PNG":
        plain = odd.saved(PICTURE, "PNG")
        content = plain[:33] + odd.chunk(b"eXIf", block[6:]) + plain[33:]
    else:
        content = odd.saved(PICTURE, name, exif=block, quality=95)

    photo = seen(content)

    assert (photo.width, photo.height) == (odd.WIDTH, odd.HEIGHT)
    assert_shows(photo)


@pytest.mark.parametrize("name", ["PNG", "WEBP"])
def test_transparent_parts_show_white(name):
    layer = PICTURE.convert("RGBA")
    layer.putalpha(Image.new("L", layer.size, 128))

    photo = seen(odd.saved(layer, name, lossless=True))

    assert_shows(photo, (COLOURS + 255) / 2, tolerance=3)


@pytest.mark.parametrize("name", ["PNG", "GIF"])
def test_a_transparent_palette_entry_shows_white(name):
    image = PICTURE.quantize(4)
    red = image.getpixel((2, 2))

    photo = seen(odd.saved(image, name, transparency=red))

    assert_shows(photo, [(255, 255, 255), *COLOURS[1:]])


def test_transparency_by_colour_shows_white():
    photo = seen(odd.saved(PICTURE, "PNG", transparency=odd.RED))

    assert_shows(photo, [(255, 255, 255), *COLOURS[1:]])


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_wide_colour_profile_is_converted_to_srgb(name):
    flat = Image.new("RGB", (32, 32), (200, 100, 100))

    photo = seen(odd.saved(flat, name, icc_profile=odd.display_p3(), quality=95))

    red, green, blue = photo.pixels.array[16, 16].astype(int)
    assert red > 208  # the same red needs more of a narrower primary
    assert green < 98
    assert abs(blue - 100) < 6


def test_a_broken_profile_is_ignored():
    for profile in (
        b"no profile at all",
        odd.display_p3()[:200],
        b"\0" * 16 + b"RGB " + b"\1" * 300,
    ):
        assert_shows(seen(odd.saved(PICTURE, "PNG", icc_profile=profile)))


def test_a_profile_for_other_samples_is_ignored():
    assert_shows(seen(odd.saved(PICTURE.convert("CMYK"), "JPEG", icc_profile=odd.display_p3())))


def test_broken_text_and_profile_chunks_do_not_fail_a_png():
    plain = odd.saved(PICTURE, "PNG")
    bad_checksum = odd.chunk(b"tEXt", b"Comment\0hello")[:-1] + b"?"
    junk = odd.chunk(b"iCCP", b"x\0\0not zlib") + odd.chunk(b"zTXt", b"x\0\0not zlib")

    assert_shows(seen(plain[:33] + bad_checksum + junk + plain[33:]))


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
def test_an_animation_shows_its_first_frame(name):
    later = [Image.new("RGB", PICTURE.size, colour) for colour in ("black", "white", "grey")]

    content = odd.saved(
        PICTURE, name, save_all=True, append_images=later, duration=50, lossless=True
    )

    assert_shows(seen(content))


def test_a_tiff_shows_its_first_page():
    later = [Image.new("RGB", (20, 10), "black")]

    assert_shows(seen(odd.saved(PICTURE, "TIFF", save_all=True, append_images=later)))


def test_what_follows_a_jpeg_is_ignored():
    picture, second = IN_COLOUR["jpeg baseline"], odd.saved(Image.new("RGB", (8, 8)), "JPEG")

    for rest in (second, bytes(1000), b"\0\0\0\x18ftypmp42" + bytes(500), b"\xff\xda\xff\xd9"):
        assert_shows(seen(picture + rest))


def test_a_thumbnail_inside_a_jpeg_is_not_taken_for_the_photo():
    thumbnail = odd.saved(Image.new("RGB", (16, 12)), "JPEG")
    content = odd.with_segment(IN_COLOUR["jpeg baseline"], 0xE1, odd.exif(1) + thumbnail)

    photo = seen(content)

    assert (photo.width, photo.height) == (odd.WIDTH, odd.HEIGHT)
    assert_shows(photo)


def test_an_unknown_jfif_revision_is_no_damage():
    jpeg = bytearray(IN_COLOUR["jpeg baseline"])
    jpeg[jpeg.index(b"JFIF\0") + 5] = 0

    assert_shows(seen(bytes(jpeg)))


def test_a_rare_colour_subsampling_is_decoded():
    photo = seen(odd.rare_sampling())

    assert (photo.width, photo.height) == (72, 8)
    assert (photo.pixels.array == 128).all()


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
@pytest.mark.parametrize("size", [(1600, 1200), (1201, 1601), (1999, 40), (7, 1500)])
def test_a_large_photo_is_reduced_to_the_side_asked_for(name, size):
    photo = seen(odd.saved(odd.quadrants(*size), name), max_side=200)

    assert (photo.width, photo.height) == size
    assert max(photo.pixels.width, photo.pixels.height) == 200
    scale = 200 / max(size)
    for reduced, original in zip((photo.pixels.width, photo.pixels.height), size, strict=True):
        assert abs(reduced - original * scale) <= 1
    if min(size) > 100:
        assert_shows(photo, tolerance=30)


def test_a_large_photo_reduced_still_looks_the_same():
    with Image.open(PHOTOS / "hopper.jpg") as image:
        large = image.resize((1280, 1500), Image.Resampling.BICUBIC)
        expected = np.asarray(large.resize((128, 150), Image.Resampling.BOX)).astype(int)

    for name in ("JPEG", "PNG"):
        array = seen(odd.saved(large, name, quality=95), max_side=150).pixels.array
        assert np.abs(array - expected).mean() < 2


def test_a_small_photo_is_not_enlarged():
    assert seen(IN_COLOUR["png"], max_side=1000).pixels.width == odd.WIDTH


def test_one_pixel_is_a_photo():
    photo = seen(odd.saved(Image.new("RGB", (1, 1), odd.RED), "PNG"))

    assert photo.pixels.array.tolist() == [[list(odd.RED)]]


def test_shrinking_what_is_small_enough_gives_the_same_object():
    pixels = seen(IN_COLOUR["png"]).pixels

    assert shrink(pixels, odd.WIDTH) is pixels


def test_shrinking_averages():
    board = np.indices((400, 400)).sum(axis=0) % 2 * 255
    pixels = Pixels(np.repeat(board[:, :, None], 3, axis=2).astype(np.uint8))

    for side in (200, 130, 100, 57):
        array = shrink(pixels, side).array
        assert array.shape == (side, side, 3)
        assert abs(array.mean() - 127.5) < 1


def test_shrinking_keeps_at_least_one_pixel():
    pixels = Pixels(np.zeros((1, 3000, 3), np.uint8))

    assert shrink(pixels, 100).array.shape == (1, 100, 3)


def test_raw_pixels_are_used_where_they_are():
    rgb = bytes(range(48))

    pixels = pixels_from_raw(8, 2, rgb)

    assert (pixels.width, pixels.height) == (8, 2)
    assert np.shares_memory(pixels.array, np.frombuffer(rgb, np.uint8))
    assert pixels.array[1, 0].tolist() == [24, 25, 26]


@pytest.mark.parametrize(
    ("width", "height", "size"), [(4, 4, 47), (4, 4, 49), (0, 4, 0), (-1, -4, 12)]
)
def test_raw_pixels_of_another_size_are_refused(width, height, size):
    with pytest.raises(InvalidImage, match=r"image\.pixels"):
        pixels_from_raw(width, height, bytes(size))


@pytest.mark.parametrize(("width", "height"), [(32769, 1), (1, 32769), (0, 5), (5, 0)])
def test_raw_pixels_of_impossible_sides_are_refused(width: int, height: int) -> None:
    with pytest.raises(InvalidImage, match="sides are 1 to 32768"):
        pixels_from_raw(width, height, bytes(3 * width * height))


def test_a_photo_a_pixel_high_shrinks_without_growing_first() -> None:
    line = pixels_from_raw(32768, 1, bytes(3 * 32768))

    tracemalloc.start()
    small = shrink(line, 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (small.width, small.height) == (64, 1)
    assert peak < 4 * 3 * 32768
