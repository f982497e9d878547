"""Classifiers, tested on framed faces."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from services.classifier.model import load
from services.packages import Package
from services.thresholds import Band, ThresholdSet
from training.bootstrap import Floats
from training.calibration import brier_skill, calibration_error
from training.faces_augment import reframed
from training.faces_data import UNKNOWN
from training.faces_own import LabelledFaces, own_faces, split_of
from training.precision import Scored
from training.ranking import Ranking
from training.tested import Figure, Tested
from training.threshold_fit import FitPolicy, fit_set

EVEN: Final = 0.5
LEAST_PRECISION: Final = 0.9
WORK: Final = Path("build/attributes")  # where the trainer keeps decoded faces
_AT_ONCE: Final = 64
_FIGURES: Final = (
    Figure("accuracy"),
    Figure("AUC"),
    Figure("AP"),
    Figure("recall at precision 0.9"),
    Figure("ECE", less_is_better=True),
    Figure("Brier skill"),
)


def examples(data: Path, split: str) -> LabelledFaces:
    """The faces of a split."""
    return split_of(data, split, WORK)


def own(table: Path, photos: Path | None, package: Package) -> LabelledFaces:
    """A table of photos with a label in each column, framed by the package's face finder."""
    return own_faces(table, photos or table.parent, package)


def label_ids(examples: LabelledFaces) -> tuple[str, ...]:
    """Those that the truth speaks of."""
    return examples.label_ids


def test(
    package: Package, examples: LabelledFaces, labels: tuple[str, ...]
) -> Tested[dict[str, str]]:
    """Scores every face for these labels, each measured over the faces it is known of."""
    scores = _scores(package, examples, labels)
    bands = package.manifest.bands()
    known, scored = {}, {}
    for column, label in enumerate(labels):
        said = examples.labels[:, examples.label_ids.index(label)]
        known[label] = np.flatnonzero(said != UNKNOWN)
        scored[label] = Scored(scores[known[label], column], said[known[label]] == 1)
    parts = [
        (known[label], partial(_figures, Ranking(o.scores, o.truth))) for label, o in scored.items()
    ]

    def measures(times: Floats) -> Floats:
        return np.concatenate([figures(times[places]) for places, figures in parts])

    return Tested(
        dataset=examples.dataset,
        split=examples.split,
        count=len(examples.names),
        unit="faces",
        figures=tuple(
            Figure(f"{figure.name} {label}", figure.less_is_better)
            for label in labels
            for figure in _FIGURES
        ),
        measures=measures,
        scored=scored,
        answers=tuple(
            {
                label: _decision(score, bands[label])
                for label, score in zip(labels, row, strict=True)
            }
            for row in scores.tolist()
        ),
    )


def disagreement(old: Tested[dict[str, str]], new: Tested[dict[str, str]]) -> Mapping[str, float]:
    """Shares of the faces that are decided otherwise, by label."""
    pairs = list(zip(old.answers, new.answers, strict=True))
    return {
        f"faces, {label}": sum(one[label] != other[label] for one, other in pairs) / len(pairs)
        for label in old.scored
    }


def thresholds(package: Package, examples: LabelledFaces, policy: FitPolicy) -> ThresholdSet:
    """A set with two edges for each label; those that nothing is known of are never given."""
    ids = tuple(label.id for label in package.manifest.labels)
    tested = test(package, examples, tuple(one for one in ids if one in examples.label_ids))
    return fit_set(
        tested.scored,
        policy,
        every=len(tested.scored) == len(ids),
        dataset=tested.dataset,
        split=tested.split,
        count=tested.count,
    )


def _scores(package: Package, faces: LabelledFaces, labels: tuple[str, ...]) -> Floats:
    side = package.manifest.preprocessing.width
    columns = [[one.id for one in package.manifest.labels].index(label) for label in labels]
    classifier = load(package)
    try:
        parts = [
            classifier.logits([reframed(face, side) for face in faces.images[at : at + _AT_ONCE]])
            for at in range(0, len(faces.names), _AT_ONCE)
        ]
        return classifier.probabilities(np.concatenate(parts))[:, columns]
    finally:
        classifier.close()


def _figures(ranking: Ranking, times: Floats) -> Floats:
    return np.array(
        [
            ranking.accuracy(times, EVEN),
            ranking.auc(times),
            ranking.average_precision(times),
            ranking.recall_at_precision(times, LEAST_PRECISION),
            calibration_error(ranking.scores, ranking.truth, times),
            brier_skill(ranking.scores, ranking.truth, times) if times.any() else np.nan,
        ]
    )


def _decision(score: float, band: Band) -> str:
    if band.present is not None and score >= band.present:
        return "present"
    return "absent" if score < band.absent else "uncertain"
