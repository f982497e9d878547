"""How much worse answers get on worse pictures, and where they are worst as it is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from services.classifier.model import Classifier
from training.bootstrap import Estimate, estimate
from training.faces_data import LABELS, SIDE, UNKNOWN, Faces
from training.faces_measure import Change, crop_scores
from training.photo_changes import blurred, compressed, dark, grey, noisy, rotated
from training.ranking import Ranking

Image = NDArray[np.uint8]  # (SIDE, SIDE, 3), RGB

_SMILING: Final = LABELS.index("smiling")
_LEAST: Final = 50  # faces of a slice; of fewer nothing can be said


@dataclass(frozen=True, slots=True)
class Condition:
    """Figures under one change of the pictures."""

    name: str
    accuracy: float  # of smiling, at an even score
    auc: Mapping[str, float]
    average_precision: float  # of sunglasses


@dataclass(frozen=True, slots=True)
class Slice:
    """Smiling on a part of the faces, as they are."""

    by: str
    name: str
    faces: int
    accuracy: Estimate
    auc: float


def conditions(classifier: Classifier, faces: Faces) -> Iterator[Condition]:
    """Measures the faces as they are, then under every change."""
    for name, change in CHANGES.items():
        scores = crop_scores(classifier, faces, change)
        rankings = [_ranking(scores, faces, column) for column in range(len(LABELS))]
        ones = [np.ones(len(ranking)) for ranking in rankings]
        yield Condition(
            name=name,
            accuracy=rankings[_SMILING].accuracy(ones[_SMILING], 0.5),
            auc={
                label: ranking.auc(one)
                for label, ranking, one in zip(LABELS, rankings, ones, strict=True)
            },
            average_precision=rankings[1].average_precision(ones[1]),
        )


def slices(scores: NDArray[np.float64], faces: Faces) -> Iterator[Slice]:
    """Smiling by how bright the faces are, how contrasty, how sharp, and how far turned."""
    known = np.flatnonzero(faces.labels[:, _SMILING] != UNKNOWN)
    for by, (values, names) in _properties(faces, known).items():
        edges = np.quantile(values, np.linspace(0, 1, len(names) + 1)[1:-1])
        places = np.searchsorted(edges, values, side="right")
        for place, name in enumerate(names):
            part = known[places == place]
            if len(part) >= _LEAST:
                yield _slice(by, name, scores[part, _SMILING], faces.labels[part, _SMILING] == 1)


def largest_gap(found: tuple[Slice, ...]) -> tuple[Slice, Slice]:
    """The worst and the best slice of the property between whose slices accuracy differs most."""

    def ends(by: str) -> tuple[Slice, Slice]:
        ordered = sorted((s for s in found if s.by == by), key=lambda s: s.accuracy.value)
        return ordered[0], ordered[-1]

    pairs = [ends(by) for by in {one.by for one in found}]
    return max(pairs, key=lambda pair: pair[1].accuracy.value - pair[0].accuracy.value)


def _ranking(scores: NDArray[np.float64], faces: Faces, column: int) -> Ranking:
    known = faces.labels[:, column] != UNKNOWN
    return Ranking(scores[known, column], faces.labels[known, column] == 1)


def _slice(by: str, name: str, scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> Slice:
    ranking = Ranking(scores, truth)
    return Slice(
        by=by,
        name=name,
        faces=len(truth),
        accuracy=estimate(lambda times: ranking.accuracy(times, 0.5), len(truth)),
        auc=ranking.auc(np.ones(len(truth))),
    )


def _properties(
    faces: Faces, known: NDArray[np.int64]
) -> dict[str, tuple[NDArray[np.float64], tuple[str, ...]]]:
    middles = [_middle(faces.images[place]) for place in known]
    sharp = [cv2.Laplacian(middle, cv2.CV_64F).var() for middle in middles]
    return {
        "light": (
            np.array([middle.mean() for middle in middles]),
            ("darkest quarter", "second", "third", "brightest quarter"),
        ),
        "contrast": (
            np.array([middle.std() for middle in middles]),
            ("flattest third", "middle", "most contrast"),
        ),
        "sharpness": (np.array(sharp), ("softest third", "middle", "sharpest third")),
        "turn": (
            _turns(faces.landmarks[known]),
            ("most frontal third", "middle", "most turned third"),
        ),
    }


def _middle(image: Image) -> Image:
    """The face itself in grey, without its surroundings."""
    quarter = SIDE // 4
    light = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(light[quarter:-quarter, quarter:-quarter], np.uint8)


def _turns(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """How far the nose lies from the middle of the eyes along their line: 0 from the front."""
    eyes = landmarks[:, 1] - landmarks[:, 0]
    nose = landmarks[:, 2] - landmarks[:, :2].mean(axis=1)
    return np.asarray(np.abs((nose * eyes).sum(axis=1)) / (eyes**2).sum(axis=1), np.float64)


def _small(side: int) -> Change:
    def shrunk(image: Image) -> Image:
        tiny = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(tiny, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)

    return shrunk


CHANGES: Final[Mapping[str, Change | None]] = {
    "as they are": None,
    "blur (sigma 2 px of 128)": blurred,
    "noise (sigma 20 of 255)": noisy,
    "JPEG quality 20": compressed,
    "a quarter of the light": dark,
    "crop of 48 px": _small(48),
    "crop of 24 px": _small(24),
    "rotated by 15 degrees": rotated(15),
    "rotated by 30 degrees": rotated(30),
    "grey": grey,
}
