"""Every file of the robustness set, which is not part of the repository."""

import csv
import os
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from chassis.errors import InvalidImage
from chassis.images import ImageLimits, decode

ROOT = Path(__file__).parents[2]
SET = Path(os.environ.get("TRILENS_DATA", ROOT.parent / "shared" / "data")) / "robustness"
MANIFEST = SET / "manifest.csv"
if not MANIFEST.exists():
    pytest.skip(f"the robustness set is not at {SET}", allow_module_level=True)

with MANIFEST.open(newline="") as lines:
    ROWS = tuple(csv.DictReader(lines))
LIMITS = ImageLimits()


def content_of(row):
    return (SET / "images" / row["file"]).read_bytes()


def reference(content):
    """The photo as Pillow alone would show it, at its full size."""
    with Image.open(BytesIO(content)) as opened:
        image = ImageOps.exif_transpose(opened)
        if image.mode == "I;16":
            return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
        layer = image.convert("RGBA")
    canvas = Image.new("RGBA", layer.size, "white")
    canvas.alpha_composite(layer)
    return canvas.convert("RGB")


@pytest.mark.parametrize("row", [r for r in ROWS if r["decodes"] == "1"], ids=lambda r: r["file"])
def test_what_decodes_decodes_right(row):
    photo = decode(content_of(row), 480, LIMITS)

    assert (photo.width, photo.height) == (int(row["width"]), int(row["height"]))
    # Compared in blocks: how a single pixel is averaged is a matter of taste.
    size = max(1, photo.pixels.width // 8), max(1, photo.pixels.height // 8)
    shown = Image.fromarray(photo.pixels.array).resize(size, Image.Resampling.BOX)
    expected = reference(content_of(row)).resize(size, Image.Resampling.BOX)
    assert np.abs(np.asarray(shown, int) - np.asarray(expected, int)).mean() < 2


@pytest.mark.parametrize("row", [r for r in ROWS if r["decodes"] == "0"], ids=lambda r: r["file"])
def test_what_does_not_is_refused(row):
    with pytest.raises(InvalidImage, match=r"^image\.content: "):
        decode(content_of(row), 200, LIMITS)


def test_all_eight_orientations_show_the_same():
    rows = [row for row in ROWS if row["file"].startswith("exif_orientation_")]
    first, *others = (decode(content_of(row), 480, LIMITS).pixels.array for row in rows)

    assert len(rows) == 8
    for other in others:
        assert np.abs(first.astype(int) - other).mean() < 3


@pytest.mark.parametrize("video", sorted((SET / "video").glob("*")), ids=lambda path: path.name)
def test_videos_are_refused(video):
    with pytest.raises(InvalidImage, match="videos are not accepted"):
        decode(video.read_bytes(), 200, LIMITS)
