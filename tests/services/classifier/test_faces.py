"""Where faces may be."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from services.classifier.faces import FaceFinder, Search


class Proposer:
    """Sees a face in the top left window of each copy of the photo, and nowhere else."""

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        rows, columns = ((side - 12) // 2 + 1 for side in inputs["images"].shape[2:])
        score = np.zeros((1, 1, rows, columns), np.float32)
        score[0, 0, 0, 0] = 0.9
        return {"score": score, "offsets": np.zeros((1, 4, rows, columns), np.float32)}

    def close(self) -> None:
        """Holds nothing."""


class Mover:
    """Is sure of every window, and moves each by so many times its own size."""

    def __init__(self, by: float) -> None:
        self._by = by

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        count = len(inputs["images"])
        return {
            "score": np.full((count, 1), 0.95, np.float32),
            "offsets": np.full((count, 4), self._by, np.float32),
            "landmarks": np.full((count, 10), 0.5, np.float32),
        }

    def close(self) -> None:
        """Holds nothing."""


def faces(by: float) -> int:
    finder = FaceFinder(Proposer(), Mover(0), Mover(by), Search())
    return len(finder.find(np.zeros((64, 64, 3), np.uint8)))


def test_a_face_that_lies_outside_the_photo_is_none() -> None:
    assert faces(by=0) == 1
    assert faces(by=-0.5) == 1
    assert faces(by=-1.5) == 0
    assert faces(by=3) == 0
