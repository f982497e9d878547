"""The detector: photos in, labelled boxes out, through a YOLO network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chassis.images import Pixels
from services.calibration import Calibrator
from services.detector.letterbox import Letterbox
from services.detector.nms import candidates, suppress
from services.model import Box, ModelError
from services.packages import InvalidPackage, Package
from services.runtimes import Network

ARTIFACT: Final = "detector"

# What a manifest's `parameters` may leave out.
INPUT: Final = "images"
OUTPUT: Final = "output0"
FLOOR: Final = 0.01  # lowest score of a box that is answered
OVERLAP: Final = 0.6  # IoU above which the worse of two boxes of one label goes
LIMIT: Final = 300  # most boxes of a photo
STRIDE: Final = 32  # pixels; sides of a tight input are multiples of it


@dataclass(frozen=True, slots=True)
class Detection:
    """An object: its label's id, its probability in [0, 1], where it is."""

    label: str
    score: float
    box: Box


@dataclass(frozen=True, slots=True)
class Detections:
    """The objects of a photo, best first."""

    boxes: tuple[Detection, ...]


class Detector:
    """A YOLO network with its package; `services.detector.nms` reads what the network answers."""

    def __init__(self, package: Package, network: Network) -> None:
        self._package = package
        self._network = network
        shape = package.manifest.preprocessing
        self._width, self._height = shape.width, shape.height
        self._tight = shape.resize == "tight_letterbox"
        self._labels = tuple(label.id for label in package.manifest.labels)
        self._calibrator = Calibrator(package.manifest)
        self._most = package.manifest.batch_sizes[-1]
        self._scale = np.reciprocal(np.array(shape.std, dtype=np.float32))[:, None, None]
        self._offset = np.array(shape.mean, dtype=np.float32)[:, None, None] * self._scale
        self._input = str(package.manifest.parameters.get("input", INPUT))
        self._output = str(package.manifest.parameters.get("output", OUTPUT))
        self._floor = _number(package, "floor", FLOOR)
        self._overlap = _number(package, "overlap", OVERLAP)
        self._limit = int(_number(package, "limit", LIMIT))
        self._stride = int(_number(package, "stride", STRIDE))

    @property
    def package(self) -> Package:
        """The package it was loaded from."""
        return self._package

    @property
    def max_side(self) -> int:
        """Longest side of a photo that it makes use of, in pixels."""
        return self._package.manifest.max_side

    @property
    def explainer(self) -> None:
        """None: a box says by itself what an object was found in."""
        return None

    def predict(self, batch: Sequence[Pixels]) -> tuple[Detections | ModelError, ...]:
        """Finds the objects of each photo; a photo whose answer is not finite is a ModelError."""
        answers: dict[int, Detections | ModelError] = {}
        for alike in self._alike(batch):
            inputs, places = self.prepare([batch[place] for place in alike])
            answers.update(zip(alike, map(self._interpret, self.raw(inputs), places), strict=True))
        return tuple(answers[place] for place in range(len(batch)))

    def prepare(self, batch: Sequence[Pixels]) -> tuple[NDArray[np.float32], tuple[Letterbox, ...]]:
        """The network's input (n, 3, height, width), and where in it each photo lies.

        All photos must need the same shape of it.
        """
        width, height = self._shape(batch[0])
        places = tuple(self._place(pixels).within(width, height) for pixels in batch)
        inputs = np.empty((len(batch), 3, height, width), dtype=np.float32)
        canvas = np.empty((height, width, 3), dtype=np.uint8)
        for pixels, place, normalised in zip(batch, places, inputs, strict=True):
            place.draw(pixels.array, canvas)
            np.multiply(canvas.transpose(2, 0, 1), self._scale, out=normalised)
        if self._offset.any():
            inputs -= self._offset
        return inputs, places

    def raw(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Runs the network: (n, 3, height, width) in, (n, 4 + labels, anchors) out."""
        # Never more at once than the package allows: exports are often made for one photo only.
        parts = [
            self._network.run({self._input: inputs[start : start + self._most]})[self._output]
            for start in range(0, len(inputs), self._most)
        ]
        outputs: NDArray[np.float32] = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return outputs

    def check(self) -> None:
        """Runs the network; InvalidPackage if its answer has not the shape of YOLO's."""
        heights = (self._height, self._stride) if self._tight else (self._height,)
        rows = 4 + len(self._labels)
        for height in heights:
            shape = self.raw(np.full((1, 3, height, self._width), 0.5, dtype=np.float32)).shape
            if len(shape) != 3 or shape[:2] != (1, rows):
                raise InvalidPackage(
                    f"{self._package.path}: the network answers a photo with shape {shape}; wanted "
                    f"is (1, {rows}, anchors): four box rows and a score for each of the "
                    f"{len(self._labels)} labels"
                )

    def close(self) -> None:
        """Gives its memory back; predicts nothing after."""
        self._network.close()

    def _shape(self, pixels: Pixels) -> tuple[int, int]:
        """Width and height of the network's input for a photo."""
        if not self._tight:
            return self._width, self._height
        return self._place(pixels).tight(self._stride)

    def _place(self, pixels: Pixels) -> Letterbox:
        return Letterbox.fit(pixels.array, self._width, self._height)

    def _alike(self, batch: Sequence[Pixels]) -> Iterator[tuple[int, ...]]:
        """Places of photos that can share an input. On a CPU sharing spares little."""
        shapes = [self._shape(pixels) for pixels in batch]
        for shape in dict.fromkeys(shapes):
            yield tuple(place for place, one in enumerate(shapes) if one == shape)

    def _interpret(self, raw: NDArray[np.float32], place: Letterbox) -> Detections | ModelError:
        if not np.isfinite(raw).all():
            return ModelError("the network's answer for this photo is not finite")
        # Boxes compete within their label, where calibration keeps their order: it comes last, and
        # costs only what is left.
        found = suppress(candidates(raw, self._floor), self._overlap, self._limit)
        edges = place.normalise(found.edges)
        seen = (edges[:, :2] < edges[:, 2:]).all(axis=1)  # not in the grey around the photo
        labels, edges = found.labels[seen], edges[seen]
        scores = self._calibrator.of_scores(found.scores[seen], labels)
        return Detections(
            tuple(
                Detection(self._labels[labels[one]], float(scores[one]), Box(*edges[one].tolist()))
                for one in np.argsort(-scores, kind="stable")
            )
        )


def load(package: Package, runtime: str | None = None, threads: int = 1) -> Detector:
    """Loads a detection package; InvalidPackage if its network does not answer as YOLO does."""
    detector = Detector(package, package.network(ARTIFACT, runtime, threads))
    detector.check()
    return detector


def _number(package: Package, name: str, default: float) -> float:
    value = package.manifest.parameters.get(name, default)
    if not isinstance(value, int | float):
        raise InvalidPackage(f"{package.path}: parameters.{name} must be a number, not {value!r}")
    return value
