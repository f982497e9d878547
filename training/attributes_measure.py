"""Measures an attributes package on everything that its card speaks of."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.classifier.model import Classifier, load
from services.packages import Package
from training.faces_data import LABELS, UNKNOWN, Faces, read_faces
from training.faces_measure import (
    EndToEnd,
    OnPhotos,
    crop_logits,
    measure_end_to_end,
    measure_photos,
    qualities,
)
from training.faces_reviewed import Review, read_reviews, reviewed_labels
from training.faces_robustness import Condition, Slice, conditions, slices
from training.faces_scores import Quality

SHRINKS: Final = (1, 2)  # of the end-to-end photos: faces 64 and 32 pixels wide
_SMILING: Final = LABELS.index("smiling")


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Smiling on test by labels that were looked at again."""

    quality: Quality
    looked_at: int  # faces
    corrected: int
    unclear: int  # left out


@dataclass(frozen=True, slots=True)
class Measured:
    """All figures of one package."""

    crops: Mapping[str, Mapping[str, Quality]]  # by split and label
    mirrored: Mapping[str, Mapping[str, Quality]]  # likewise, with the mirrored face's logits, too
    by_source: Mapping[str, Mapping[str, Quality]]  # on test, by source and label
    reviewed: Reviewed | None
    conditions: tuple[Condition, ...]  # on test, like all that follows
    slices: tuple[Slice, ...]
    end_to_end: tuple[EndToEnd, ...]
    photos: OnPhotos


def measure(package: Package, data: Path, work: Path) -> Measured:
    """Measures the package as it is served; thresholds and calibration are its own."""
    splits = {split: read_faces(data, split, work) for split in ("val", "test")}
    test = splits["test"]
    classifier = load(package)
    try:
        logits = {split: crop_logits(classifier, faces) for split, faces in splits.items()}
        mirrors = {
            split: crop_logits(classifier, faces, _mirror) for split, faces in splits.items()
        }
        scores = {split: classifier.probabilities(each) for split, each in logits.items()}
        means = {s: ((logits[s] + mirrors[s]) / 2).astype(np.float32) for s in splits}
        both = {s: classifier.probabilities(mean) for s, mean in means.items()}
        return Measured(
            crops={s: qualities(classifier, scores[s], splits[s].labels) for s in splits},
            mirrored={s: qualities(classifier, both[s], splits[s].labels) for s in splits},
            by_source=_by_source(classifier, scores["test"], test),
            reviewed=_reviewed(classifier, scores["test"], test, read_reviews("test")),
            conditions=tuple(conditions(classifier, test)),
            slices=tuple(slices(scores["test"], test)),
            end_to_end=tuple(measure_end_to_end(classifier, test, by) for by in SHRINKS),
            photos=measure_photos(classifier, data / "detection"),
        )
    finally:
        classifier.close()


def _mirror(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image[:, ::-1])


def _by_source(
    classifier: Classifier, scores: NDArray[np.float64], faces: Faces
) -> dict[str, dict[str, Quality]]:
    found = {}
    for source in sorted(set(faces.sources)):
        here = np.array(faces.sources) == source
        labels = np.where(here[:, None], faces.labels, UNKNOWN)
        both_kinds = [{0, 1} <= set(labels[:, column].tolist()) for column in range(len(LABELS))]
        kept = np.where(both_kinds, labels, faces.labels).astype(np.int8)
        measured = qualities(classifier, scores, kept)
        found[source] = {
            label: measured[label] for label, both in zip(LABELS, both_kinds, strict=True) if both
        }
    return found


def _reviewed(
    classifier: Classifier,
    scores: NDArray[np.float64],
    faces: Faces,
    reviews: tuple[Review, ...],
) -> Reviewed | None:
    if not reviews:
        return None
    given = {
        name: bool(label)
        for name, label in zip(faces.names, faces.labels[:, _SMILING], strict=True)
        if label != UNKNOWN
    }
    truth = reviewed_labels(given, reviews)
    labels = faces.labels.copy()
    labels[:, _SMILING] = [int(truth.get(name, UNKNOWN)) for name in faces.names]
    measured = qualities(classifier, scores, labels)
    return Reviewed(
        quality=measured["smiling"],
        looked_at=len(reviews),
        corrected=sum(given[name] != smiles for name, smiles in truth.items()),
        unclear=len(given) - len(truth),
    )
