"""Quality of a map of a face: whether it lies where it should, and whether the network agrees.

Deletion and insertion after V. Petsiuk, A. Das and K. Saenko, "RISE", 2018.
"""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.classifier.squares import Image

Floats = NDArray[np.float32]
Landmarks = NDArray[np.float32]  # (5, 2): eyes, nose, mouth corners; x, y
Score = Callable[[list[Image]], NDArray[np.float64]]  # a label's probability for each face

STEPS: Final = 28  # of deletion and insertion, each an equal share of the face
_BLUR: Final = 0.1  # of what a face is deleted to: standard deviation, in sides of the face


def region(label: str, landmarks: Landmarks) -> Floats:
    """Where evidence for a label should lie: left, top, right, bottom, in the landmarks' pixels.

    Of a smile the mouth with its corners, of glasses the eyes.
    """
    left, right = landmarks[3:] if label == "smiling" else landmarks[:2]
    # In a profile both corners are close together, and the mouth is no smaller for it.
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    apart = max(float(np.hypot(*(left - right))), 0.6 * float(np.hypot(*(eyes - mouth))))
    half = apart * np.array([0.7, 0.5] if label == "smiling" else [0.95, 0.45])
    centre = (left + right) / 2
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


def mass(values: Floats, edges: Floats, inside: Floats) -> tuple[float, float]:
    """The share of what speaks for a label that lies in a region; and the region's share of places.

    `edges` are those of the map, in the region's pixels; a place counts by its middle.
    """
    rows, columns = values.shape
    across = edges[0] + (edges[2] - edges[0]) * (np.arange(columns) + 0.5) / columns
    down = edges[1] + (edges[3] - edges[1]) * (np.arange(rows) + 0.5) / rows
    within = (inside[0] <= across) & (across <= inside[2])
    within = within & ((inside[1] <= down) & (down <= inside[3]))[:, None]
    speaks_for = np.clip(values, 0, None)
    share = float(speaks_for[within].sum() / max(float(speaks_for.sum()), 1e-9))
    return share, float(within.mean())


def spread(values: Floats, side: int) -> Floats:
    """A map of any grid, smoothly, at `side` pixels a side: so that grids can be compared."""
    large = cv2.resize(values, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.float32)


def deletion_and_insertion(face: Image, values: Floats, score: Score) -> tuple[float, float]:
    """The label's mean score while the strongest places go first, and while they come first.

    A good map has a low first figure and a high second one. What is deleted is blurred.
    """
    side = face.shape[0]
    order = np.argsort(-spread(values, side).ravel(), kind="stable")
    soft = cv2.GaussianBlur(face, (0, 0), _BLUR * side, borderType=cv2.BORDER_REPLICATE)
    blurred = np.asarray(soft, np.uint8)
    faces = [
        _mixed(onto, what, order[: round(step / STEPS * order.size)])
        for onto, what in ((face, blurred), (blurred, face))
        for step in range(STEPS + 1)
    ]
    deleted, inserted = score(faces).reshape(2, STEPS + 1)
    return _mean(deleted), _mean(inserted)


def _mixed(onto: Image, what: Image, places: NDArray[np.intp]) -> Image:
    mixed = onto.reshape(-1, 3).copy()
    mixed[places] = what.reshape(-1, 3)[places]
    return mixed.reshape(onto.shape)


def _mean(scores: NDArray[np.float64]) -> float:
    """The area under a curve over [0, 1]."""
    return float((scores[:-1] + scores[1:]).mean() / 2)
