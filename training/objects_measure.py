"""All that the default detector's card states, but for other sizes and runtimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from services.detector.model import Detector
from services.manifest import Calibration
from services.thresholds import ThresholdSet
from training import coco
from training.bootstrap import Estimate, Floats, estimate, estimates, reflected
from training.calibration import (
    FLOOR,
    brier_skill,
    calibrated,
    calibration_error,
    error_by_chance,
    logits_of,
)
from training.detection import PERSON, Found, drawn, figures, find, joined
from training.objects_conditions import Condition, conditions
from training.objects_decisions import (
    LIKELY,
    Guesses,
    calibrate,
    guesses,
    log_losses,
    thresholds,
)
from training.objects_parts import Part, Size, parts, sizes
from training.ranking import Truth
from training.threshold_fit import DEFAULT_POLICY, FitPolicy

BOTH: Final = "val+test"
DATASET: Final = "COCO 2017 subset"
SPLITS: Final = ("val", "test", BOTH)

_OTHER: Final = {"test": "val", "val": "test"}  # what is fitted on one is measured on the other


@dataclass(frozen=True, slots=True)
class Row:
    """AP50, AP and the AP50 of people on some photos, and CPU time."""

    photos: int
    boxes: int
    figures: tuple[Estimate, ...]
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Meaning:
    """Whether scores mean what they say, on photos that their fit has not seen."""

    scores: int  # those that count: above the floor
    error: Estimate
    by_chance: float  # what perfectly calibrated scores would show, being so few
    skill: Estimate


@dataclass(frozen=True, slots=True)
class Given:
    """What thresholds give on photos that they were not fitted on."""

    labels: str
    count: int
    precision: Estimate
    recall: float


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What one split says of scores."""

    calibration: Calibration
    chosen: ThresholdSet


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Everything for the card; mappings are by the split that was measured."""

    fitted: Fitted  # on val: what the package has
    rows: Mapping[str, Row]
    by_label: Mapping[int, tuple[int, float]]  # boxes and AP50, both splits
    losses: Mapping[str, float]
    meaning: Mapping[str, Meaning]
    given: Mapping[str, tuple[Given, ...]]
    likely: Mapping[str, tuple[Given, ...]]
    held: Guesses  # on test, with calibrated scores
    conditions: tuple[Condition, ...]
    parts: tuple[Part, ...]
    sizes: tuple[Size, ...]


def by_split(detector: Detector, folder: Path) -> dict[str, Found]:
    """What a detector finds on val, on test, and on both."""
    found = {split: find(detector, drawn(folder, split)) for split in ("val", "test")}
    return found | {BOTH: joined(found["val"], found["test"])}


def quality(found: Found) -> Row:
    """The figures with their intervals."""
    boxes = sum(len(one.scores) for one in found.true)
    return Row(len(found), boxes, estimates(figures(found), len(found)), found.milliseconds)


def measure(detector: Detector, folder: Path) -> Measured:
    """Measures a detector whose scores are its network's own, and fits what they mean."""
    label_ids = tuple(label.id for label in detector.package.manifest.labels)
    policy = FitPolicy.read(DEFAULT_POLICY)
    found = by_split(detector, folder)
    raw = {split: guesses(found[split]) for split in _OTHER}
    fits = {split: _fit(one, label_ids, policy, split) for split, one in raw.items()}
    held = {split: raw[split].rescored(fits[other].calibration) for split, other in _OTHER.items()}
    photos = drawn(folder, BOTH)
    mine = rescored(found[BOTH], fits["val"].calibration)
    bands = {
        number: fits["val"].chosen.band(label).present for number, label in enumerate(label_ids)
    }
    present = {number: edge for number, edge in bands.items() if edge is not None}
    side = detector.max_side
    return Measured(
        fitted=fits["val"],
        rows={split: quality(one) for split, one in found.items()},
        by_label=_by_label(found[BOTH]),
        losses=log_losses(raw["val"]),
        meaning={split: _meaning(one) for split, one in held.items()}
        | {BOTH: _meaning(_both(held["val"], held["test"]))},
        given={
            split: _given(held[split], fits[other], label_ids) for split, other in _OTHER.items()
        },
        likely={split: _rows(one, one.scores >= LIKELY) for split, one in held.items()},
        held=held["test"],
        conditions=tuple(conditions(detector, photos, found[BOTH])),
        parts=parts(mine, photos, side),
        sizes=sizes(mine, photos, side, present),
    )


def rescored(found: Found, fit: Calibration) -> Found:
    """The same boxes with calibrated scores."""
    return replace(
        found,
        predicted=tuple(
            coco.Boxes(one.edges, one.labels, calibrated(logits_of(one.scores), fit))
            for one in found.predicted
        ),
    )


def _fit(raw: Guesses, label_ids: tuple[str, ...], policy: FitPolicy, split: str) -> Fitted:
    fit = calibrate(raw)
    rounded = Calibration(scale=round(fit.scale, 4), offset=round(fit.offset, 4))
    known = raw.rescored(rounded)
    return Fitted(rounded, thresholds(known, label_ids, policy, DATASET, split))


def _by_label(found: Found) -> dict[int, tuple[int, float]]:
    known = coco.quality(found.predicted, found.true)
    return {
        label: (known.boxes_by_label[label], value) for label, value in known.ap50_by_label.items()
    }


def _both(one: Guesses, other: Guesses) -> Guesses:
    return Guesses(
        labels=np.concatenate([one.labels, other.labels]),
        photos=np.concatenate([one.photos, other.photos + one.count]),
        scores=np.concatenate([one.scores, other.scores]),
        right=np.concatenate([one.right, other.right]),
        drawn={
            label: one.drawn.get(label, 0) + other.drawn.get(label, 0)
            for label in one.drawn.keys() | other.drawn.keys()
        },
        count=one.count + other.count,
    )


def _meaning(held: Guesses) -> Meaning:
    return Meaning(
        scores=int((held.scores > FLOOR).sum()),
        error=reflected(
            estimate(
                lambda times: calibration_error(held.scores, held.right, times[held.photos]),
                held.count,
            )
        ),
        by_chance=error_by_chance(held.scores),
        skill=estimate(
            lambda times: brier_skill(held.scores, held.right, times[held.photos]), held.count
        ),
    )


def _given(held: Guesses, fit: Fitted, label_ids: tuple[str, ...]) -> tuple[Given, ...]:
    present = [fit.chosen.band(label).present for label in label_ids]
    edges = np.array([2.0 if edge is None else edge for edge in present])
    return _rows(held, held.scores >= edges[held.labels])


def _rows(held: Guesses, answered: Truth) -> tuple[Given, ...]:
    people = held.labels == PERSON
    drawn_people, drawn_all = held.drawn[PERSON], sum(held.drawn.values())
    return (
        _share("person", held, answered & people, drawn_people),
        _share("all others", held, answered & ~people, drawn_all - drawn_people),
        _share("all", held, answered, drawn_all),
    )


def _share(labels: str, held: Guesses, answered: Truth, drawn_boxes: int) -> Given:
    right = answered & held.right

    def precision(times: Floats) -> float:
        count = times[held.photos[answered]].sum()
        return float(times[held.photos[right]].sum() / count) if count else float("nan")

    return Given(
        labels,
        int(answered.sum()),
        estimate(precision, held.count),
        float(right.sum()) / drawn_boxes,
    )
