"""Explains a face's labels: covers the face place by place, and asks the network again.

M. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks", 2014. It needs
nothing but the network's answers, so that any network can be explained. One round of covers
explains all labels at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from chassis.images import Pixels
from services.classifier.faces import FoundFace
from services.classifier.framing import face_crop, face_window
from services.classifier.squares import Image
from services.model import Box, Heatmap, Method, ModelError

if TYPE_CHECKING:
    from services.classifier.model import Attributes

GRID: Final = 9  # covers in a row, and rows of them
COVER: Final = 0.2  # side of a cover, in sides of the face's square
_EDGE: Final = 0.013  # over how much a cover fades, in sides: a hard edge would be a thing to see
_SMALLEST: Final = 1e-12  # scores nearer to 0 or 1 have no log odds worth telling


class Finder(Protocol):
    """What finds the faces that were scored."""

    def find(self, photo: Image) -> tuple[FoundFace, ...]:
        """The photo's faces: those of the prediction, in its order."""


class Scorer(Protocol):
    """What scores faces framed as `face_crop` does."""

    def logits(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """The network's raw answer (faces, labels)."""

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Calibrated scores (faces, labels) in [0, 1]."""


class Covering:
    """Covers each face of a photo with a grid of soft squares of its mean colour."""

    method = Method.OCCLUSION

    def __init__(self, finder: Finder, scorer: Scorer, labels: Sequence[str], side: int) -> None:
        self._finder = finder
        self._scorer = scorer
        self._labels = tuple(labels)
        self._side = side

    def explain(self, pixels: Pixels, part: Attributes) -> Iterator[tuple[Heatmap, ...]]:
        """Maps of the labels that each face has scores of; one step a row of covers.

        The faces are the photo's first. Raises ModelError if the photo has fewer, or if the
        network's answer is not finite.
        """
        found = self._finder.find(pixels.array)
        if len(found) < len(part.faces):
            raise ModelError(f"{len(found)} faces, where {len(part.faces)} are to be explained")
        yield ()
        for number, face in enumerate(part.faces):
            labels = [score.label for score in face.scores]
            yield from self._face(pixels, found[number], number, labels)

    def _face(
        self, pixels: Pixels, face: FoundFace, number: int, labels: Sequence[str]
    ) -> Iterator[tuple[Heatmap, ...]]:
        window = face_window(face.landmarks)
        left, top, right, bottom = _visible(window, pixels)
        if left >= right or top >= bottom:  # the box lies in the photo, but not what is looked at
            return
        crop = face_crop(pixels.array, face.landmarks, self._side)
        across, down = (_covers(*span, self._side) for span in ((left, right), (top, bottom)))
        uncovered = self._log_odds([crop])
        rows = []
        for row in down:
            rows.append(uncovered - self._log_odds(_covered(crop, row, across)))
            yield ()
        falls = np.stack(rows).astype(np.float32)
        box = _box(window, (left, top, right, bottom), pixels)
        yield tuple(
            Heatmap(box, falls[:, :, self._labels.index(label)], label, number) for label in labels
        )

    def _log_odds(self, crops: Sequence[Image]) -> NDArray[np.float64]:
        scores = self._scorer.probabilities(self._scorer.logits(crops))
        if not np.isfinite(scores).all():
            raise ModelError("the network's answer for a covered face is not finite")
        scores = np.clip(scores, _SMALLEST, 1 - _SMALLEST)
        odds: NDArray[np.float64] = np.log(scores) - np.log1p(-scores)
        return odds


def _visible(window: NDArray[np.float32], pixels: Pixels) -> tuple[float, float, float, float]:
    """The part of the square that lies within the photo, in sides of the square."""
    corner, size = window[:2], float(window[2] - window[0])
    near = np.clip(-corner / size, 0, 1)
    far = np.clip((np.array([pixels.width, pixels.height]) - corner) / size, 0, 1)
    return float(near[0]), float(near[1]), float(far[0]), float(far[1])


def _covers(begin: float, end: float, side: int) -> NDArray[np.float32]:
    """GRID covers spread evenly over a span, each a strip (side,) of how much it hides, 0 to 1."""
    places = (np.arange(side) + 0.5) / side
    middles = begin + (end - begin) * (np.arange(GRID) + 0.5) / GRID
    outside = np.abs(places - middles[:, None]) - COVER / 2
    return (1 / (1 + np.exp(2 * outside / _EDGE))).astype(np.float32)


def _covered(
    crop: Image, row: NDArray[np.float32], across: NDArray[np.float32]
) -> list[NDArray[np.uint8]]:
    """The face under each cover of a row."""
    plain = crop.astype(np.float32)
    hidden = (row[:, None] * across[:, None, :])[..., None]
    mixed = plain + (plain.mean(axis=(0, 1)) - plain) * hidden
    return list(np.rint(mixed).astype(np.uint8))


def _box(
    window: NDArray[np.float32], visible: tuple[float, float, float, float], pixels: Pixels
) -> Box:
    """What lies within the photo of the square, as fractions of the photo."""
    size = float(window[2] - window[0])
    edges = np.tile(window[:2], 2) + np.array(visible) * size
    return Box(*np.clip(edges / np.tile([pixels.width, pixels.height], 2), 0, 1).tolist())
