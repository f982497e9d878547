"""Faults that a new package may come with, done to real photos and real answers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from chassis.images import Pixels
from gateway.tasks import Result
from trilens.v1 import classifier_pb2, decision_pb2, detector_pb2, image_pb2

# A tenth of an object's own size, as a forgotten border would move it.
_SHIFT: Final = 0.1

Fault = Callable[[Result], Result]


def swapped(pixels: Pixels) -> Pixels:
    """The photo with red for blue: what a network trained on the other order is given."""
    return Pixels(np.ascontiguousarray(pixels.array[:, :, ::-1]))


def shifted(result: Result) -> Result:
    """Every box moved to the right and down by a tenth of its size."""
    moved = copy.deepcopy(result)
    assert isinstance(moved, detector_pb2.Detection)  # noqa: S101  # for the checker
    for thing in moved.objects:
        _shift(thing.box)
    return moved


def without(label: str) -> Fault:
    """A class that the package never answers: its place among the outputs is dead."""

    def broken(result: Result) -> Result:
        if isinstance(result, detector_pb2.Detection):
            return detector_pb2.Detection(objects=[o for o in result.objects if o.label != label])
        left = copy.deepcopy(result)
        assert isinstance(left, classifier_pb2.Classification)  # noqa: S101  # for the checker
        for scores in (left.labels, *(face.labels for face in left.faces)):
            for score in scores:
                if score.label == label:
                    score.score, score.decision = 0.0, decision_pb2.DECISION_ABSENT
        return left

    return broken


def faults(feature: str) -> Mapping[str, Fault]:
    """By name, those of a feature's answers; classes both common and rare."""
    return _FAULTS[feature]


def _shift(box: image_pb2.BoundingBox) -> None:
    wide, high = _SHIFT * (box.x_max - box.x_min), _SHIFT * (box.y_max - box.y_min)
    box.x_min, box.x_max = min(1.0, box.x_min + wide), min(1.0, box.x_max + wide)
    box.y_min, box.y_max = min(1.0, box.y_min + high), min(1.0, box.y_max + high)


def _broken(*labels: str) -> dict[str, Fault]:
    return {f"without {label}": without(label) for label in labels}


_FAULTS: Final[Mapping[str, Mapping[str, Fault]]] = {
    "objects": {"shifted boxes": shifted, **_broken("person", "dog", "horse", "bicycle")},
    "attributes": _broken("smiling", "eyeglasses", "sunglasses"),
    "captions": {},
}
