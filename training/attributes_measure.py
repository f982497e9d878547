"""Measures an attributes package on everything that its card speaks of."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.classifier.model import Classifier, load
from services.packages import Package
from training.calibration import calibrated, platt
from training.faces_calibration import Moved, Told, compared, moved
from training.faces_ceiling import Ceiling, ceiling
from training.faces_data import LABELS, UNKNOWN, Faces, read_faces
from training.faces_measure import (
    EndToEnd,
    OnPhotos,
    crop_logits,
    measure_end_to_end,
    measure_photos,
    qualities,
)
from training.faces_reviewed import Tally, read_reviews, tally
from training.faces_robustness import Condition, Slice, conditions, slices
from training.faces_scores import Quality, quality
from training.faces_truth import SMILING, reviewed, smiles

SHRINKS: Final = (1, 2)  # of the end-to-end photos: faces 64 and 32 pixels wide


@dataclass(frozen=True, slots=True)
class Measured:
    """All figures of one package; smiling by reviewed labels, unless something else is said."""

    crops: Mapping[str, Mapping[str, Quality]]  # by split and label
    # Smiling by the labels as they came, its scores calibrated to those of val; by split.
    labelled: Mapping[str, Quality]
    reviews: Mapping[str, Tally]  # by split
    ceilings: Mapping[str, Ceiling | None]  # likewise
    mirrored: Mapping[str, Mapping[str, Quality]]  # as crops, with the mirrored face's logits, too
    by_source: Mapping[str, Mapping[str, Quality]]  # on test, by source and label
    conditions: tuple[Condition, ...]  # on test, like all that follows
    slices: tuple[Slice, ...]
    ways: tuple[Told, ...]  # on val
    moved: tuple[Moved, ...]
    end_to_end: tuple[EndToEnd, ...]
    photos: OnPhotos


def measure(package: Package, data: Path, work: Path) -> Measured:
    """Measures the package as it is served; thresholds and calibration are its own."""
    given = {split: read_faces(data, split, work) for split in ("val", "test")}
    faces = {split: reviewed(each, split) for split, each in given.items()}
    test = faces["test"]
    classifier = load(package)
    try:
        logits = {split: crop_logits(classifier, each) for split, each in faces.items()}
        mirrors = {s: crop_logits(classifier, each, _mirror) for s, each in faces.items()}
        scores = {split: classifier.probabilities(each) for split, each in logits.items()}
        means = {s: ((logits[s] + mirrors[s]) / 2).astype(np.float32) for s in faces}
        both = {split: classifier.probabilities(mean) for split, mean in means.items()}
        return Measured(
            crops={s: qualities(classifier, scores[s], faces[s].labels) for s in faces},
            labelled=_labelled(classifier, logits, given),
            reviews={s: tally(read_reviews(s), smiles(each)) for s, each in given.items()},
            ceilings={s: ceiling(logits[s], each, s) for s, each in given.items()},
            mirrored={s: qualities(classifier, both[s], faces[s].labels) for s in faces},
            by_source=_by_source(classifier, scores["test"], test),
            conditions=tuple(conditions(classifier, test)),
            slices=tuple(slices(scores["test"], test)),
            ways=compared(logits["val"], faces["val"]),
            moved=moved(logits, faces),
            end_to_end=tuple(measure_end_to_end(classifier, test, by) for by in SHRINKS),
            photos=measure_photos(classifier, data / "detection"),
        )
    finally:
        classifier.close()


def _labelled(
    classifier: Classifier, logits: Mapping[str, NDArray[np.float32]], given: Mapping[str, Faces]
) -> dict[str, Quality]:
    """Calibrated anew: how likely a face is labelled so differs from how likely it smiles."""
    known = {s: faces.labels[:, SMILING] != UNKNOWN for s, faces in given.items()}
    truth = {s: given[s].labels[known[s], SMILING] == 1 for s in given}
    told = {s: logits[s][known[s], SMILING] for s in given}
    fit = platt(told["val"], truth["val"])
    band = classifier.package.manifest.bands()[LABELS[SMILING]]
    return {s: quality(calibrated(told[s], fit), truth[s], band) for s in given}


def _mirror(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image[:, ::-1])


def _by_source(
    classifier: Classifier, scores: NDArray[np.float64], faces: Faces
) -> dict[str, dict[str, Quality]]:
    """Leaves out labels of which a source has one kind only."""
    found = {}
    for source in sorted(set(faces.sources)):
        here = np.array(faces.sources) == source
        known = [here & (faces.labels[:, column] != UNKNOWN) for column in range(len(LABELS))]
        bands = classifier.package.manifest.bands()
        found[source] = {
            label: quality(scores[places, column], truth, bands[label])
            for column, (label, places) in enumerate(zip(LABELS, known, strict=True))
            if 0 < (truth := faces.labels[places, column] == 1).sum() < len(truth)
        }
    return found
