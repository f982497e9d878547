"""Measures a detector on photos with boxes that people drew."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from chassis.images import ImageLimits, decode
from services.detector.model import Detections, Detector
from services.model import ModelError
from training import coco

THRESHOLDS: Final = (0.2, 0.25, 0.3, 0.35, 0.4, 0.5)


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What a caller sees who asks for scores of at least `threshold`; each in [0, 1]."""

    threshold: float
    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A detector's quality and cost."""

    quality: coco.Quality
    at_thresholds: tuple[AtThreshold, ...]
    milliseconds: float  # CPU time per photo, from pixels to boxes, photos one by one


def evaluate(detector: Detector, folder: Path, split: str) -> Measured:
    """Measures on the photos of `val`, `test`, or `both`."""
    splits = ("val", "test") if split == "both" else (split,)
    return measure(detector, [photo for part in splits for photo in coco.photos(folder, part)])


def measure(detector: Detector, photos: Sequence[coco.TruePhoto]) -> Measured:
    """Predicts the photos one by one and compares with their true boxes."""
    order = {label.id: n for n, label in enumerate(detector.package.manifest.labels)}
    pixels = [decode(photo.content, detector.max_side, ImageLimits()).pixels for photo in photos]
    begun = time.process_time()
    predictions = [detector.predict([photo])[0] for photo in pixels]
    spent = time.process_time() - begun
    predicted = [_boxes(prediction, order) for prediction in predictions]
    true = [photo.truth for photo in photos]
    return Measured(
        quality=coco.quality(predicted, true),
        at_thresholds=tuple(_at(threshold, predicted, true) for threshold in THRESHOLDS),
        milliseconds=spent / len(photos) * 1e3,
    )


def _boxes(prediction: Detections | ModelError, order: dict[str, int]) -> coco.Boxes:
    if isinstance(prediction, ModelError):
        raise prediction
    edges = [(b.box.x_min, b.box.y_min, b.box.x_max, b.box.y_max) for b in prediction.boxes]
    return coco.Boxes(
        edges=np.array(edges, dtype=np.float64).reshape(-1, 4),
        labels=np.array([order[b.label] for b in prediction.boxes], dtype=np.intp),
        scores=np.array([b.score for b in prediction.boxes], dtype=np.float64),
    )


def _at(
    threshold: float, predicted: Sequence[coco.Boxes], true: Sequence[coco.Boxes]
) -> AtThreshold:
    shown = [boxes.above(threshold) for boxes in predicted]
    right = sum(coco.found(boxes, drawn) for boxes, drawn in zip(shown, true, strict=True))
    return AtThreshold(
        threshold=threshold,
        precision=right / max(1, sum(len(boxes.scores) for boxes in shown)),
        recall=right / max(1, sum(len(boxes.scores) for boxes in true)),
    )
