"""What a detector finds on photos with boxes that people drew, and how good that is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chassis.images import ImageLimits, Pixels, decode
from services.detector.model import Detections, Detector
from services.model import ModelError
from training import coco
from training.bootstrap import Floats, Measures
from training.bootstrap_boxes import average_precisions, matches

PERSON: Final = 0  # its place in COCO's labels
FIGURES: Final = ("AP50", "AP", "person AP50")

Photo: TypeAlias = NDArray[np.uint8]  # (height, width, 3), RGB
# A photo made worse, with the true boxes where they are then.
Change: TypeAlias = Callable[[Photo, coco.Boxes], tuple[Photo, coco.Boxes]]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Boxes that a detector found and boxes that people drew, photo by photo."""

    predicted: tuple[coco.Boxes, ...]
    true: tuple[coco.Boxes, ...]
    milliseconds: float  # CPU time per photo, from pixels to boxes, photos one by one

    def __len__(self) -> int:
        return len(self.true)

    def of(self, chosen: Iterable[int]) -> Found:
        """The same for some of the photos."""
        places = list(chosen)
        predicted = tuple(self.predicted[place] for place in places)
        return Found(predicted, tuple(self.true[place] for place in places), self.milliseconds)


def drawn(folder: Path, split: str) -> tuple[coco.TruePhoto, ...]:
    """The photos of `val`, `test`, or of both: `val+test`."""
    return tuple(photo for part in split.split("+") for photo in coco.photos(folder, part))


def find(
    detector: Detector, photos: Sequence[coco.TruePhoto], change: Change | None = None
) -> Found:
    """Predicts the photos one by one."""
    order = {label.id: n for n, label in enumerate(detector.package.manifest.labels)}
    predicted, true = [], []
    spent = 0.0
    for photo in photos:
        pixels, truth = decode(photo.content, detector.max_side, ImageLimits()).pixels, photo.truth
        if change:
            changed, truth = change(pixels.array, truth)
            pixels = Pixels(changed)
        begun = time.process_time()
        (answer,) = detector.predict([pixels])
        spent += time.process_time() - begun
        predicted.append(_boxes(answer, order))
        true.append(truth)
    return Found(tuple(predicted), tuple(true), spent / len(photos) * 1e3)


def joined(one: Found, other: Found) -> Found:
    """Both, one after the other."""
    spent = one.milliseconds * len(one) + other.milliseconds * len(other)
    return Found(
        (*one.predicted, *other.predicted),
        (*one.true, *other.true),
        spent / (len(one) + len(other)),
    )


def figures(found: Found) -> Measures:
    """AP50, AP and the AP50 of people, in a form that bootstrap samples can be drawn of."""
    present = sorted({int(label) for boxes in found.true for label in boxes.labels})
    by_label = {label: matches(found.predicted, found.true, label) for label in present}

    def measure(times: Floats) -> Floats:
        table = {label: average_precisions(one, times) for label, one in by_label.items()}
        person = table[PERSON][0] if PERSON in table else np.nan
        whole = np.array([row for row in table.values() if not np.isnan(row[0])])
        if not len(whole):  # of few photos a sample may have none with a box
            return np.full(len(FIGURES), np.nan)
        return np.array([whole[:, 0].mean(), whole.mean(), person])

    return measure


def _boxes(prediction: Detections | ModelError, order: dict[str, int]) -> coco.Boxes:
    if isinstance(prediction, ModelError):
        raise prediction
    edges = [(b.box.x_min, b.box.y_min, b.box.x_max, b.box.y_max) for b in prediction.boxes]
    return coco.Boxes(
        edges=np.array(edges, dtype=np.float64).reshape(-1, 4),
        labels=np.array([order[b.label] for b in prediction.boxes], dtype=np.intp),
        scores=np.array([b.score for b in prediction.boxes], dtype=np.float64),
    )
