"""Files made to be expensive, in a child process whose CPU and memory are measured."""

import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

from PIL import Image

from tests.chassis import oddities as odd

ROOT = Path(__file__).parents[2]


def packed(block, times):
    """The zlib stream of a block repeated, in the time it takes to pack it twice."""
    packer = zlib.compressobj(1)
    first, again = (packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    checksum = 1
    for _ in range(times):
        checksum = zlib.adler32(block, checksum)
    return first + again * (times - 1) + packer.flush()[:-4] + checksum.to_bytes(4, "big")


def gigabyte():
    return packed(bytes(1 << 20), 1024)


def png(width, height, packed_rows, *, bits=8, colour=2, extra=b""):
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    chunks = odd.chunk(b"IDAT", packed_rows) + odd.chunk(b"IEND", b"")
    return odd.PNG_SIGNATURE + odd.chunk(b"IHDR", header) + extra + chunks


def bomb_of_400_megapixels():
    return png(20_000, 20_000, packed(bytes(2501 * 100), 200), bits=1, colour=0)


def png_at_the_limit():
    row = b"\4" + bytes(range(250)) * 60  # Paeth, the filter that is slowest to undo
    return png(5000, 5000, packed(row * 20, 250))


def png_with_metadata_bombs():
    bomb = b"x\0\0" + gigabyte()
    extra = odd.chunk(b"iCCP", bomb) + odd.chunk(b"zTXt", bomb)
    return png(8, 8, packed(bytes(25), 8), extra=extra)


def png_with_a_gigabyte_behind_its_pixels():
    return png(8, 8, gigabyte())


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


def test_no_file_costs_more_than_a_second_and_256_megabytes(tmp_path):
    files = [tmp_path / made.__name__ for made in EXPENSIVE]
    for file, made in zip(files, EXPENSIVE, strict=True):
        file.write_bytes(made())

    child = subprocess.run(
        [sys.executable, "-m", "tests.chassis.decode_cost", *files],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "client")))},
        capture_output=True,
        text=True,
        check=True,
    )

    costs = json.loads(child.stdout)
    dear = {n: c for n, c in costs.items() if c["seconds"] >= 1 or c["megabytes"] >= 256}
    assert len(costs) == len(EXPENSIVE)
    assert not dear
