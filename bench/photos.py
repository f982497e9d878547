"""The photos that benches send: real ones, as files, in the order in which they are sent."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

ROOT: Final = Path(__file__).resolve().parent.parent
FREE_PHOTOS: Final = ROOT / "tests" / "photos"

_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")
_LARGE: Final = (4000, 3000)  # 12 megapixels, what phones take
_LARGE_QUALITY: Final = 90


@dataclass(frozen=True, slots=True)
class BenchPhoto:
    """A photo as a client would send it."""

    name: str
    content: bytes


def photos_in(folder: Path) -> tuple[BenchPhoto, ...]:
    """Every photo in the folder itself, by name; ValueError if there is none."""
    found = tuple(
        BenchPhoto(path.name, path.read_bytes())
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in _SUFFIXES
    )
    if not found:
        raise ValueError(f"{folder} holds no photos")
    return found


def enlarged(photos: tuple[BenchPhoto, ...]) -> tuple[BenchPhoto, ...]:
    """The same photos as 12-megapixel JPEGs, grained like a camera's so that they weigh as much."""
    return tuple(BenchPhoto(f"{one.name} at 12 MP", _enlarged(one.content)) for one in photos)


def _enlarged(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as small:
        large = small.convert("RGB").resize(_LARGE, Image.Resampling.BICUBIC)
    grain = Image.effect_noise(_LARGE, 24).convert("RGB")
    file = io.BytesIO()
    Image.blend(large, grain, 0.06).save(file, "JPEG", quality=_LARGE_QUALITY)
    return file.getvalue()
