"""Finds faces and their landmarks: MTCNN's cascade of three small networks.

K. Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", 2016: the first network slides over ever smaller copies of the photo, the second and
third look again at what it proposes. Work is bounded at each stage, whatever the photo shows.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.classifier.squares import Image, Windows, cut, squared, suppress
from services.runtimes import Network

_WINDOW: Final = 12  # pixels a side that the first network sees at once
_STRIDE: Final = 2  # pixels between its windows
_REFINED_SIDE: Final = 24
_LOCATED_SIDE: Final = 48
_MEAN: Final = 127.5
_STD: Final = 128.0
# Most windows that a stage looks at: enough for a class photo, little enough for a deadline.
_MOST_A_SCALE: Final = 400
_MOST_REFINED: Final = 256
_MOST_LOCATED: Final = 96


@dataclass(frozen=True, slots=True)
class Search:
    """How hard to look."""

    max_side: int = 640  # photos are reduced to this, in pixels
    min_face: float = 40.0  # smallest face, in pixels of the reduced photo
    factor: float = 0.709  # from one copy of the photo to the next smaller one
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.8)  # of the three networks' scores


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """A face in pixels of the photo it was found in; parts of it may lie outside."""

    edges: NDArray[np.float32]  # (4,): left, top, right, bottom
    landmarks: NDArray[np.float32]  # (5, 2): eyes, nose, mouth corners; x, y; the left one first
    confidence: float  # in [0, 1]


class FaceFinder:
    """The cascade; several threads may search at once."""

    def __init__(
        self, proposer: Network, refiner: Network, locator: Network, search: Search
    ) -> None:
        self._proposer = proposer
        self._refiner = refiner
        self._locator = locator
        self._search = search

    def find(self, photo: Image) -> tuple[FoundFace, ...]:
        """Finds the faces of an RGB photo of any size, the surest first."""
        scale = min(1.0, self._search.max_side / max(photo.shape[:2]))
        reduced = _resized(photo, *_size(photo, scale))
        windows = self._refine(reduced, self._propose(reduced))
        return self._locate(reduced, windows, 1 / scale)

    def close(self) -> None:
        """Gives the networks' memory back."""
        for network in (self._proposer, self._refiner, self._locator):
            network.close()

    def _propose(self, photo: Image) -> Windows:
        """Squares that may hold a face, over all sizes of faces."""
        windows, scores = [np.empty((0, 4), np.float32)], [np.empty(0, np.float32)]
        scale = _WINDOW / self._search.min_face
        copy = photo
        while min(photo.shape[:2]) * scale >= _WINDOW:
            copy = _resized(copy, *_size(photo, scale))  # from the last one: less to read
            found, score = self._slide(copy, photo)
            windows.append(found)
            scores.append(score)
            scale *= self._search.factor
        return _kept(np.concatenate(windows), np.concatenate(scores), _MOST_REFINED)

    def _slide(self, copy: Image, photo: Image) -> tuple[Windows, NDArray[np.float32]]:
        """Proposals from one copy of the photo, in pixels of the photo itself."""
        answer = self._proposer.run({"images": _prepared(copy[None])})
        score, offsets = answer["score"][0, 0], answer["offsets"][0]
        rows, columns = np.nonzero(score >= self._search.thresholds[0])
        scores = score[rows, columns]
        corner = np.stack([columns, rows], axis=1).astype(np.float32) * _STRIDE
        # a copy's sides are whole pixels, so each side has a scale of its own
        exact = np.divide(photo.shape[1::-1], copy.shape[1::-1]).astype(np.float32)
        windows = np.concatenate([corner * exact, (corner + _WINDOW) * exact], axis=1)
        keep = suppress(windows, scores, _MOST_A_SCALE, overlap=0.5)
        moved = _moved(windows[keep], offsets[:, rows[keep], columns[keep]].T)
        return moved, scores[keep]

    def _refine(self, photo: Image, windows: Windows) -> Windows:
        """Those windows that still look like faces at twice the resolution, moved onto them."""
        if not len(windows):
            return windows
        answer = self._refiner.run({"images": _cuts(photo, windows, _REFINED_SIDE)})
        score = answer["score"][:, 0]
        sure = score >= self._search.thresholds[1]
        return _kept(_moved(windows[sure], answer["offsets"][sure]), score[sure], _MOST_LOCATED)

    def _locate(self, photo: Image, windows: Windows, scale: float) -> tuple[FoundFace, ...]:
        """The faces among the windows, with landmarks; all multiplied by `scale`."""
        if not len(windows):
            return ()
        answer = self._locator.run({"images": _cuts(photo, windows, _LOCATED_SIDE)})
        score = answer["score"][:, 0]
        (sure,) = np.nonzero(score >= self._search.thresholds[2])
        edges = _moved(windows[sure], answer["offsets"][sure])
        sure, edges = sure[_seen(edges, photo)], edges[_seen(edges, photo)]
        size = (windows[sure, 2:] - windows[sure, :2])[:, None]
        points = answer["landmarks"][sure].reshape(-1, 2, 5).transpose(0, 2, 1)
        landmarks = windows[sure, None, :2] + points * size
        best = suppress(edges, score[sure], _MOST_LOCATED, overlap=0.7, nested=True)
        return tuple(
            FoundFace(edges[place] * scale, landmarks[place] * scale, float(score[sure[place]]))
            for place in best
        )


def _kept(windows: Windows, scores: NDArray[np.float32], most: int) -> Windows:
    return squared(windows[suppress(windows, scores, most, overlap=0.7)])


def _seen(edges: Windows, photo: Image) -> NDArray[np.bool_]:
    """Which boxes have a part within the photo: squares on its rim may be moved out of it."""
    corner = np.array(photo.shape[1::-1], np.float32)
    inside = np.minimum(edges[:, 2:], corner) - np.maximum(edges[:, :2], 0)
    return np.asarray((inside > 0).all(axis=1))


def _moved(windows: Windows, offsets: NDArray[np.float32]) -> Windows:
    size = windows[:, 2:] - windows[:, :2]
    moved: Windows = windows + offsets * np.concatenate([size, size], axis=1)
    return moved


def _cuts(photo: Image, windows: Windows, side: int) -> NDArray[np.float32]:
    return _prepared(np.stack([cut(photo, window, side) for window in windows]))


def _prepared(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, height, width, 3) in 0..255 to (n, 3, height, width) as the networks take them."""
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)
    planes -= _MEAN
    planes /= _STD
    return planes


def _size(photo: Image, scale: float) -> tuple[int, int]:
    """Width and height at that scale, in whole pixels."""
    height, width = photo.shape[:2]
    return max(1, round(width * scale)), max(1, round(height * scale))


def _resized(photo: Image, width: int, height: int) -> Image:
    if photo.shape[:2] == (height, width):
        return photo
    return np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
