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
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(grey[quarter:-quarter, quarter:-quarter], np.uint8)


def _turns(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """How far the nose lies from the middle of the eyes along their line: 0 from the front."""
    eyes = landmarks[:, 1] - landmarks[:, 0]
    nose = landmarks[:, 2] - landmarks[:, :2].mean(axis=1)
    return np.asarray(np.abs((nose * eyes).sum(axis=1)) / (eyes**2).sum(axis=1), np.float64)


def _blurred(image: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 2.0), np.uint8)


def _noisy(image: Image) -> Image:
    noise = np.random.default_rng(int(image.sum())).normal(0, 20, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _compressed(image: Image) -> Image:
    _, content = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 20))
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)


def _dark(image: Image) -> Image:
    """A quarter of the light, and what a camera adds then."""
    noise = np.random.default_rng(int(image.sum())).normal(0, 4, image.shape)
    return np.clip(image * 0.25 + noise, 0, 255).astype(np.uint8)


def _small(side: int) -> Change:
    def shrunk(image: Image) -> Image:
        tiny = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(tiny, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)

    return shrunk


def _rotated(degrees: float) -> Change:
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), degrees, 1.0)

    def turned(image: Image) -> Image:
        return np.asarray(
            cv2.warpAffine(image, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE), np.uint8
        )

    return turned


def _grey(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


CHANGES: Final[Mapping[str, Change | None]] = {
    "as they are": None,
    "blur (sigma 2 px of 128)": _blurred,
    "noise (sigma 20 of 255)": _noisy,
    "JPEG quality 20": _compressed,
    "a quarter of the light": _dark,
    "crop of 48 px": _small(48),
    "crop of 24 px": _small(24),
    "rotated by 15 degrees": _rotated(15),
    "rotated by 30 degrees": _rotated(30),
    "grey": _grey,
}
