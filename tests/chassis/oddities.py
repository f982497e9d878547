"""Pictures encoded in every way that a photo arrives in, and in many ways it should not."""

import struct
import zlib
from io import BytesIO

import numpy as np
from PIL import Image

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 200, 40), (30, 40, 220), (230, 220, 30)
WIDTH, HEIGHT = 64, 48
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def quadrants(width=WIDTH, height=HEIGHT):
    """Red and green above blue and yellow: shows which way is up, and whether colours are right."""
    array = np.empty((height, width, 3), np.uint8)
    array[: height // 2, : width // 2] = RED
    array[: height // 2, width // 2 :] = GREEN
    array[height // 2 :, : width // 2] = BLUE
    array[height // 2 :, width // 2 :] = YELLOW
    return Image.fromarray(array)


def corners(array):
    """The colours in the middle of the four quadrants, row by row."""
    height, width = array.shape[:2]
    rows, columns = (height // 4, height * 3 // 4), (width // 4, width * 3 // 4)
    return np.array([array[row, column] for row in rows for column in columns], int)


def saved(image, name, **options):
    content = BytesIO()
    image.save(content, name, **options)
    return content.getvalue()


def noise(width, height, seed=0):
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    )


def stored(image, orientation):
    """The picture as a camera held that way stores it: the tag's effect undone."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    return image.transpose(undo[orientation]) if orientation in undo else image


def exif(orientation, order="<"):
    """An EXIF block that states an orientation and nothing else."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + mark + struct.pack(order + "IH", 8, 1) + entry + bytes(4)


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, *, bits=8, colour=2, pixels=b"", extra=b"", interlaced=0):
    """A PNG from its parts; `pixels` are the filtered rows, not yet compressed."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    body = chunk(b"IDAT", zlib.compress(pixels, 1))
    return PNG_SIGNATURE + chunk(b"IHDR", header) + extra + body + chunk(b"IEND", b"")


def segment(marker, body):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def with_segment(jpeg, marker, body):
    """A JPEG with a further segment right after its start."""
    return jpeg[:2] + segment(marker, body) + jpeg[2:]


def rare_sampling():
    """A flat grey JPEG of 72x8 pixels with a subsampling (3x1) that TurboJPEG has no name for.

    All its blocks are alike, so those of a 40x8 picture serve.
    """
    grey = Image.new("RGB", (40, 8), (128, 128, 128))
    jpeg = bytearray(saved(grey, "JPEG", keep_rgb=True, subsampling=0))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 7 : frame + 9] = struct.pack(">H", 72)
    jpeg[frame + 11] = 0x31
    return bytes(jpeg)


def gif_frame(left, top, width, height, data=b"\2\2D\1\0"):
    return b"," + struct.pack("<HHHHB", left, top, width, height, 0) + data


def gif(width, height, *frames):
    """A GIF of two colours from its frames."""
    header = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(3) + b"\xff" * 3
    return header + b"".join(frames) + b";"


def tiff(*entries, body=b""):
    """A TIFF directory from (tag, type, count, value) entries, and what lies behind it."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4) + body


def display_p3():
    """An ICC profile with Display P3's colours (D50-adapted) and a plain gamma of 2.2."""
    columns = {
        b"rXYZ": (0.51512, 0.24120, -0.00105),
        b"gXYZ": (0.29198, 0.69225, 0.04189),
        b"bXYZ": (0.15710, 0.06657, 0.78407),
        b"wtpt": (0.96420, 1.0, 0.82491),
    }
    tags = {
        tag: b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))
        for tag, values in columns.items()
    }
    gamma = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(2.2 * 256), 0)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma)
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">I", 3) + b"P3\0" + bytes(81)
    tags[b"cprt"] = b"text\0\0\0\0CC0\0"
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        table += tag + struct.pack(">II", start + len(body), len(value))
        body += padded
    size = start + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(24)
    header += bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
