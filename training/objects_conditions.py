"""Photos made worse, with their boxes: how much worse a detector gets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from services.detector.model import Detector
from training import coco
from training.bootstrap import Difference, differences
from training.detection import Change, Found, Photo, figures, find
from training.photo_changes import CHANGES

DEGREES: Final = 10

_SAMPLES: Final = 100  # of the bootstrap: enough for a table of seven rows


@dataclass(frozen=True, slots=True)
class Condition:
    """The figures under one change of the photos, and how they differ from those without it."""

    name: str
    figures: tuple[float, ...]
    change: tuple[Difference, ...]


def conditions(
    detector: Detector, photos: Sequence[coco.TruePhoto], plain: Found
) -> Iterator[Condition]:
    """Measures the photos under every change; `plain` is what was found on them as they are."""
    before = figures(plain)
    for name, change in _changes().items():
        after = figures(find(detector, photos, change))
        yield Condition(
            name,
            tuple(after(np.ones(len(photos)))),
            differences(before, after, len(photos), _SAMPLES),
        )


def _changes() -> Mapping[str, Change]:
    def same_boxes(name: str) -> Change:
        return lambda photo, boxes: (CHANGES[name](photo), boxes)

    return {
        "blur (sigma 2 px of 512)": same_boxes("blur (sigma 2 px of 224)"),
        "noise (sigma 20 of 255)": same_boxes("noise (sigma 20 of 255)"),
        "JPEG quality 20": same_boxes("JPEG quality 20"),
        "a quarter of the light": same_boxes("a quarter of the light"),
        "grey": same_boxes("grey"),
        "mirrored": _mirrored,
        f"rotated by {DEGREES} degrees": _rotated,
    }


def _mirrored(photo: Photo, boxes: coco.Boxes) -> tuple[Photo, coco.Boxes]:
    edges = boxes.edges.copy()
    edges[:, [0, 2]] = 1 - boxes.edges[:, [2, 0]]
    return CHANGES["mirrored"](photo), coco.Boxes(edges, boxes.labels, boxes.scores)


def _rotated(photo: Photo, boxes: coco.Boxes) -> tuple[Photo, coco.Boxes]:
    """Turns the ellipse in each box: the box around turned corners is too large for most things."""
    size = np.array([photo.shape[1], photo.shape[0]], np.float64)
    centres = (boxes.edges[:, :2] + boxes.edges[:, 2:]) / 2 * size - size / 2
    radii = (boxes.edges[:, 2:] - boxes.edges[:, :2]) / 2 * size
    cosine, sine = np.cos(np.radians(DEGREES)), np.sin(np.radians(DEGREES))
    turn = np.array([[cosine, sine], [-sine, cosine]])  # as OpenCV turns, y pointing down
    middles = centres @ turn.T + size / 2
    reach = np.sqrt(radii**2 @ (turn**2).T)
    edges = np.concatenate([middles - reach, middles + reach], axis=1) / np.tile(size, 2)
    turned = coco.Boxes(edges.clip(0, 1), boxes.labels, boxes.scores)
    height, width = photo.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), DEGREES, 1.0)
    drawn = cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.uint8), turned
