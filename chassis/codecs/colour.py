"""Colours as a screen shows them: sRGB, whatever the photo's profile says they are in."""

from functools import lru_cache
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image, ImageCms

from chassis.codecs.encoded import Samples

_MAX_PROFILE_BYTES: Final = 2 << 20
_SPACES: Final = {b"RGB ": "RGB", b"CMYK": "CMYK"}
_SRGB: Final = ImageCms.createProfile("sRGB")
_INVISIBLE: Final = 3  # levels of 255 by which a profile may differ from sRGB and be taken for it


def from_cmyk(samples: Samples, profile: bytes) -> Samples:
    """CMYK stored inverted (255 is no ink) in sRGB, by its profile if that is sound."""
    transform = _transform_of(profile, "CMYK")
    if transform is not None:
        return _applied(transform, 255 - samples, "CMYK")
    inks, black = samples[:, :, :3].astype(np.uint16), samples[:, :, 3:]
    return ((inks * black + 127) // 255).astype(np.uint8)


def to_srgb(samples: Samples, profile: bytes) -> Samples:
    """RGB in sRGB: unchanged where the profile is absent, broken or meant for other samples."""
    transform = _transform_of(profile, "RGB")
    return samples if transform is None else _applied(transform, samples, "RGB")


def _transform_of(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    if _SPACES.get(profile[16:20]) != mode or len(profile) > _MAX_PROFILE_BYTES:
        return None
    return _transform(profile, mode)


def _applied(transform: ImageCms.ImageCmsTransform, samples: Samples, mode: str) -> Samples:
    height, width, _ = samples.shape
    stored = np.ascontiguousarray(samples)
    image = Image.frombuffer(mode, (width, height), stored, "raw", mode, 0, 1)
    return np.asarray(ImageCms.applyTransform(image, transform))


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from a profile to sRGB; None where there is nothing to do, or nothing to be done."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        transform = ImageCms.buildTransform(source, _SRGB, mode, "RGB")
        return None if mode == "RGB" and _changes_nothing(transform) else transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    steps = np.arange(0, 256, 51, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    moved = _applied(transform, cube, "RGB").astype(np.int16) - cube
    return bool(np.abs(moved).max() <= _INVISIBLE)
