"""The files made to be expensive: each in a child process, whose CPU and memory are measured."""

import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.chassis import oddities as odd

ROOT = Path(__file__).parents[2]


def zlib_bomb():
    """A gigabyte of nothing in a megabyte."""
    packer, block = zlib.compressobj(1), bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(1024)) + packer.flush()


def rows(height, stride, kind):
    """Filtered PNG rows; filter 4 (Paeth) is the slowest to undo."""
    table = np.empty((height, stride + 1), np.uint8)
    table[:, 0], table[:, 1:] = kind, np.arange(stride) % 251
    return table.tobytes()


def bomb_of_400_megapixels():
    return odd.png(20_000, 20_000, bits=1, colour=0, pixels=rows(20_000, 2500, 0))


def png_at_the_limit():
    return odd.png(5000, 5000, pixels=rows(5000, 15_000, 4))


def png_with_metadata_bombs():
    packed = b"x\0\0" + zlib_bomb()
    extra = odd.chunk(b"iCCP", packed) + odd.chunk(b"zTXt", packed)
    return odd.png(8, 8, pixels=rows(8, 24, 0), extra=extra)


def png_with_a_gigabyte_behind_its_pixels():
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib_bomb()), (b"IEND", b"")
    return odd.PNG_SIGNATURE + b"".join(odd.chunk(*chunk) for chunk in chunks)


def jpeg_at_the_limit():
    return odd.saved(Image.new("RGB", (10_000, 9990), odd.RED), "JPEG", subsampling=0)


def jpeg_progressive_at_the_limit():
    return odd.saved(Image.new("RGB", (4800, 4800), odd.RED), "JPEG", progressive=True)


def jpeg_of_escapes():
    jpeg = odd.saved(Image.new("L", (64, 64)), "JPEG")
    return jpeg[:-2] + b"\xff\0" * 9_000_000 + jpeg[-2:]


def webp_at_the_limit():
    return odd.saved(Image.new("RGBA", (3540, 3540), (1, 2, 3, 4)), "WEBP", lossless=True)


def gif_of_tiny_blocks():
    return odd.gif(4, 4, odd.gif_frame(0, 0, 4, 4, b"\2" + b"\1D" * 9_000_000 + b"\0"))


def gif_of_many_frames():
    return odd.gif(4, 4, *[odd.gif_frame(0, 0, 1, 1)] * 900_000)


def tiff_in_one_strip():
    image = Image.new("RGB", (5000, 5000), odd.RED)
    return odd.saved(image, "TIFF", compression="tiff_lzw", strip_size=1 << 30)


def tiff_of_many_tags():
    entries = ((tag, 7, 1_000_000, 8) for tag in range(60_000))
    return odd.tiff(*entries, body=bytes(1_000_000))


EXPENSIVE = [
    bomb_of_400_megapixels,
    png_at_the_limit,
    png_with_metadata_bombs,
    png_with_a_gigabyte_behind_its_pixels,
    jpeg_at_the_limit,
    jpeg_progressive_at_the_limit,
    jpeg_of_escapes,
    webp_at_the_limit,
    gif_of_tiny_blocks,
    gif_of_many_frames,
    tiff_in_one_strip,
    tiff_of_many_tags,
]


@pytest.mark.parametrize("made", EXPENSIVE, ids=lambda made: made.__name__)
def test_no_file_costs_more_than_a_second_and_256_megabytes(made, tmp_path):
    file = tmp_path / "photo"
    file.write_bytes(made())

    child = subprocess.run(
        [sys.executable, "-m", "tests.chassis.decode_cost", file],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "client")))},
        capture_output=True,
        text=True,
        check=True,
    )

    cost = json.loads(child.stdout)
    assert cost["seconds"] < 1, cost
    assert cost["megabytes"] < 256, cost
