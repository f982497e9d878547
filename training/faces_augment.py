"""Changes to a face that keep its labels: what cameras, framing and compression do to faces.

Framing moves as far as a face finder's landmarks do, so that the network tolerates them.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.faces_data import SIDE

Image = NDArray[np.uint8]  # (height, width, 3), RGB

_MOST_ROTATION: Final = 15.0  # degrees
_MOST_SHIFT: Final = 0.06  # of the side
_ZOOM: Final = (0.85, 1.18)
_MOST_CUT: Final = 0.22  # of the side


def reframed(image: Image, side: int) -> Image:
    """The face as it is, at the network's size."""
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def augmented(image: Image, side: int, rng: np.random.Generator) -> Image:
    """One random variant of the face, at the network's size."""
    if rng.random() < 0.15:
        image = _cut(image, rng)
    face = _framed(image, side, rng)
    if rng.random() < 0.5:
        face = face[:, ::-1]
    if rng.random() < 0.3:
        face = _coarse(face, rng)
    face = _lit(face, rng)
    if rng.random() < 0.2:
        face = _compressed(face, rng)
    return np.ascontiguousarray(face)


def _framed(image: Image, side: int, rng: np.random.Generator) -> Image:
    """Rotated, zoomed and shifted in one resampling; borders repeated as in the data."""
    zoom = rng.uniform(*_ZOOM) * side / SIDE
    matrix = cv2.getRotationMatrix2D(
        (SIDE / 2, SIDE / 2), rng.uniform(-_MOST_ROTATION, _MOST_ROTATION), zoom
    )
    moved = rng.uniform(-_MOST_SHIFT, _MOST_SHIFT, 2) * side
    matrix = np.column_stack([matrix[:, :2], matrix[:, 2] + (side - SIDE) / 2 + moved])
    return np.asarray(
        cv2.warpAffine(
            image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ),
        np.uint8,
    )


def _cut(image: Image, rng: np.random.Generator) -> Image:
    """As if the face had been near the border of its photo, which is repeated."""
    top, bottom, left, right = (
        int(cut) for cut in rng.uniform(0, _MOST_CUT * SIDE, 4) * (rng.random(4) < 0.6)
    )
    inside = image[top : SIDE - bottom, left : SIDE - right]
    return np.asarray(
        cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_REPLICATE), np.uint8
    )


def _coarse(face: Image, rng: np.random.Generator) -> Image:
    """As if the face had been small in its photo."""
    small = int(rng.integers(28, 80))
    shrunk = cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, face.shape[1::-1], interpolation=cv2.INTER_LINEAR))


def _lit(face: Image, rng: np.random.Generator) -> Image:
    """Brightness, contrast, tint or grey, and a little noise."""
    light = face.astype(np.float32)
    if rng.random() < 0.2:
        light = np.repeat(light.mean(axis=2, keepdims=True), 3, axis=2)
    gain = np.float32(rng.uniform(0.7, 1.3)) * rng.uniform(0.92, 1.08, 3).astype(np.float32)
    if rng.random() < 0.3:
        power = np.exp(rng.uniform(-0.7, 0.7))
        light = (255 * (light / 255) ** power).astype(np.float32)
    light = (light - 128) * gain + np.float32(128 + rng.uniform(-30, 30))
    if rng.random() < 0.2:
        light += rng.normal(0, rng.uniform(2, 12), face.shape).astype(np.float32)
    return np.clip(light, 0, 255).astype(np.uint8)


def _compressed(face: Image, rng: np.random.Generator) -> Image:
    quality = int(rng.integers(25, 80))
    _, content = cv2.imencode(".jpg", face, (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)
