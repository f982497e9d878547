"""Sunglasses drawn on faces whose landmarks are known: the label that the data have least of."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.faces_data import LABELS, UNKNOWN

Image = NDArray[np.uint8]  # (height, width, 3), RGB

_FINE: Final = 4  # drawn this many times larger, for smooth edges
_CORNERS: Final = 48  # of a lens's outline


def with_sunglasses(
    image: Image, landmarks: NDArray[np.float32], rng: np.random.Generator
) -> Image:
    """The face with dark glasses of a random shape, tint and fit."""
    eyes = landmarks[:2].astype(np.float64)
    across = eyes[1] - eyes[0]
    apart = max(float(np.hypot(*across)), 12.0)
    # A face that looks aside has its eyes close together, but is as high as any other.
    high = max(apart, float(np.hypot(*(landmarks[3:].mean(axis=0) - eyes.mean(axis=0)))))
    right = across / apart
    down = np.array([-right[1], right[0]])
    half_width = apart * rng.uniform(0.38, 0.5)
    half_height = high * rng.uniform(0.22, 0.38)
    drop = down * half_height * rng.uniform(0.0, 0.3)
    bend, sag = rng.uniform(2.0, 5.0), rng.uniform(-0.1, 0.35)
    lenses = [
        _outline(eye + drop, right * side, down, (half_width, half_height), bend, sag)
        for eye, side in zip(eyes, (-1, 1), strict=True)
    ]
    lens, frame = _masks(image.shape[:2], lenses, eyes, right, half_width, apart, rng)
    return _painted(image, lens, frame, eyes[:, 1].mean(), half_height, rng)


def as_sunglasses(targets: NDArray[np.float32]) -> NDArray[np.float32]:
    """Targets of a face that was given some: what the eyes wear changes, the mouth does not."""
    changed = targets.copy()
    changed[LABELS.index("sunglasses")] = 1
    changed[LABELS.index("eyeglasses")] = 0
    return changed


def can_wear(labels: NDArray[np.int8], landmarks: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The faces on which sunglasses can be drawn: landmarks known, and none there yet."""
    worn = labels[:, LABELS.index("sunglasses")]
    known = ~np.isnan(landmarks.reshape(len(landmarks), -1)).any(axis=1)
    return np.asarray(known & (worn != 1) & (worn != UNKNOWN), np.bool_)


def _outline(
    middle: NDArray[np.float64],
    outwards: NDArray[np.float64],
    down: NDArray[np.float64],
    size: tuple[float, float],
    bend: float,
    sag: float,
) -> NDArray[np.float64]:
    """Corners of a lens: from an ellipse (bend 2) to a box (5), lower outside as sag grows."""
    turn = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / bend) * size[0]
    y = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** (2 / bend) * size[1]
    y = y + sag * np.maximum(x, 0) * (y > 0)
    return np.asarray(middle + x[:, None] * outwards + y[:, None] * down)


def _masks(
    shape: tuple[int, ...],
    lenses: list[NDArray[np.float64]],
    eyes: NDArray[np.float64],
    right: NDArray[np.float64],
    half_width: float,
    apart: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How far lens and frame cover each pixel, in [0, 1]."""
    large = (shape[0] * _FINE, shape[1] * _FINE)
    lens, frame = np.zeros(large, np.uint8), np.zeros(large, np.uint8)
    outlines = [_fine(one) for one in lenses]
    cv2.fillPoly(lens, outlines, 255)
    thick = max(1, round(apart * rng.uniform(0.02, 0.09) * _FINE))
    if rng.random() < 0.75:
        cv2.polylines(frame, outlines, isClosed=True, color=255, thickness=thick)
    up = np.array([right[1], -right[0]]) * half_width * rng.uniform(0.1, 0.5)
    inner = right * half_width * 0.9
    bridge = _fine(np.stack([eyes[0] + inner + up, eyes[1] - inner + up]))
    cv2.polylines(frame, [bridge], isClosed=False, color=255, thickness=thick)
    for eye, side in zip(eyes, (-1, 1), strict=True):
        hinge = eye + right * side * half_width * 0.95 + up
        ear = hinge + right * side * apart * rng.uniform(0.1, 0.6)
        temple = _fine(np.stack([hinge, ear]))
        cv2.polylines(frame, [temple], isClosed=False, color=255, thickness=thick)
    small = shape[1::-1]
    covers = (cv2.resize(mask, small, interpolation=cv2.INTER_AREA) for mask in (lens, frame))
    over, rim = ((cover / 255).astype(np.float32) for cover in covers)
    return over, rim


def _painted(
    image: Image,
    lens: NDArray[np.float32],
    frame: NDArray[np.float32],
    level: float,
    half_height: float,
    rng: np.random.Generator,
) -> Image:
    """Lenses darker above than below, often with a reflection; as sharp as the photo is."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    tint = rng.uniform(0, 35) + rng.uniform(-10, 10, 3)
    fade = np.clip((rows - (level - half_height)) / (2 * half_height), 0, 1)
    colour = tint + (fade * rng.uniform(0, 60))[..., None]
    if rng.random() < 0.5:
        slope, place = rng.uniform(-1.5, 1.5), rng.uniform(20, 108)
        away = (columns + slope * (rows - level) - place) / rng.uniform(4, 20)
        colour = colour + (np.exp(-(away**2)) * rng.uniform(20, 120))[..., None]
    cover = lens * (rng.uniform(0.78, 1.0) - fade * rng.uniform(0, 0.15))
    blur = rng.uniform(0.3, 1.2)
    cover, rim = (cv2.GaussianBlur(mask, (0, 0), blur)[..., None] for mask in (cover, frame))
    shade = np.broadcast_to(_FRAMES[rng.integers(len(_FRAMES))], image.shape)
    face = image * (1 - cover) + colour * cover
    face = face * (1 - rim) + shade * rim
    face = face + (rng.normal(0, rng.uniform(0, 4), image.shape) * cover)
    return np.asarray(np.clip(face, 0, 255), np.uint8)


# The darkest twice: most frames are dark.
_FRAMES: Final = np.array(
    [
        *[(12, 12, 12), (25, 22, 24), (45, 30, 20)] * 2,
        *[(190, 190, 195), (170, 140, 70), (230, 230, 230), (120, 20, 25)],
    ],
    np.float64,
)


def _fine(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.round(points * _FINE).astype(np.int32)
