import random

import pytest

from chassis.errors import InvalidImage
from chassis.images import ImageLimits, decode
from tests.chassis import oddities as odd

PICTURE = odd.noise(40, 30)
SEEDS = {
    "jpeg": odd.saved(PICTURE, "JPEG", exif=odd.exif(6), icc_profile=odd.display_p3()),
    "jpeg progressive": odd.saved(PICTURE, "JPEG", progressive=True),
    "jpeg cmyk": odd.saved(PICTURE.convert("CMYK"), "JPEG"),
    "png": odd.saved(PICTURE, "PNG", exif=odd.exif(6), icc_profile=odd.display_p3()),
    "png palette": odd.saved(PICTURE.quantize(16), "PNG", transparency=1),
    "webp": odd.saved(PICTURE, "WEBP", exif=odd.exif(6)),
    "webp lossless": odd.saved(PICTURE.convert("RGBA"), "WEBP", lossless=True),
    "webp animated": odd.saved(PICTURE, "WEBP", save_all=True, append_images=[PICTURE]),
    "gif": odd.saved(PICTURE.quantize(16), "GIF", transparency=1),
    "bmp": odd.saved(PICTURE, "BMP"),
    "tiff": odd.saved(PICTURE, "TIFF"),
    "tiff lzw": odd.saved(PICTURE, "TIFF", compression="tiff_lzw"),
    "tiff deflate": odd.saved(PICTURE, "TIFF", compression="tiff_adobe_deflate"),
}
EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80")


def mutated(content, generator):
    damaged = bytearray(content)
    for _ in range(generator.choice((1, 1, 2, 8))):
        # Headers are small and matter most: half of the changes go there.
        at = generator.randrange(len(damaged) if generator.random() < 0.5 else 120)
        match generator.randrange(5):
            case 0:
                damaged[at] = generator.randrange(256)
            case 1:
                extreme = generator.choice(EXTREMES)
                damaged[at : at + len(extreme)] = extreme
            case 2:
                damaged[at] ^= 1 << generator.randrange(8)
            case 3:
                del damaged[at : at + generator.randrange(1, 30)]
            case _:
                damaged[at:at] = generator.randbytes(generator.randrange(1, 10))
    return bytes(damaged)


@pytest.mark.parametrize("name", SEEDS)
def test_a_damaged_file_is_decoded_or_refused_and_nothing_else(name):
    generator, refused = random.Random(name), 0
    for _ in range(250):
        content = mutated(SEEDS[name], generator)
        try:
            decode(content, 32, ImageLimits())
        except InvalidImage:
            refused += 1

    assert refused > 0
