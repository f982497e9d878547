"""Parts of the photos and sizes of boxes: where a detector is weak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from chassis.images import ImageLimits, decode
from training import coco
from training.bootstrap import Estimate, Floats, estimate
from training.bootstrap_boxes import Matches, average_precisions
from training.detection import Found
from training.objects_decisions import LIKELY, Guesses, guesses
from training.ranking import Truth

MANY: Final = 10  # drawn boxes that make a photo crowded
# COCO's limits of small and medium boxes: areas in pixels of the network's input.
SIZES: Final = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1 << 40)}


@dataclass(frozen=True, slots=True)
class Part:
    """AP50 on a part of the photos, all labels in one ranking: few photos have few of each."""

    by: str
    name: str
    photos: int
    boxes: int
    ap50: Estimate


@dataclass(frozen=True, slots=True)
class Size:
    """How many drawn boxes of a size are found by a box that is given."""

    name: str
    boxes: int
    default: Estimate  # at the default thresholds
    likely: Estimate  # with a score of at least `LIKELY`


def parts(found: Found, photos: Sequence[coco.TruePhoto], max_side: int) -> tuple[Part, ...]:
    """By how much is on the photos and by how bright they are."""
    light = np.array(
        [decode(photo.content, max_side, ImageLimits()).pixels.array.mean() for photo in photos]
    )
    drawn = np.array([len(boxes.scores) for boxes in found.true])
    masks = {
        ("boxes on the photo", f"fewer than {MANY}"): drawn < MANY,
        ("boxes on the photo", f"{MANY} or more"): drawn >= MANY,
        ("light", "darker half"): light < np.median(light),
        ("light", "brighter half"): light >= np.median(light),
    }
    return tuple(_part(found, by, name, mask) for (by, name), mask in masks.items())


def sizes(
    found: Found, photos: Sequence[coco.TruePhoto], side: int, present: Mapping[int, float]
) -> tuple[Size, ...]:
    """By the drawn boxes' size; `present` are the default thresholds of labels that have one."""
    areas = [_areas(boxes, photo, side) for boxes, photo in zip(found.true, photos, strict=True)]
    likely = dict.fromkeys({int(label) for one in found.predicted for label in one.labels}, LIKELY)
    rows = []
    for name, (least, most) in SIZES.items():
        chosen = [(one >= least) & (one < most) for one in areas]
        boxes = sum(int(mask.sum()) for mask in chosen)
        rows.append(
            Size(name, boxes, _recall(found, chosen, present), _recall(found, chosen, likely))
        )
    return tuple(rows)


def largest_gap(found: Sequence[Part]) -> tuple[Part, Part]:
    """The worst and the best part of what they differ most by."""

    def ends(by: str) -> tuple[Part, Part]:
        ordered = sorted((one for one in found if one.by == by), key=lambda one: one.ap50.value)
        return ordered[0], ordered[-1]

    pairs = [ends(by) for by in dict.fromkeys(one.by for one in found)]
    return max(pairs, key=lambda pair: pair[1].ap50.value - pair[0].ap50.value)


def together(known: Guesses, true: Sequence[coco.Boxes]) -> Matches:
    """All labels' boxes in one ranking."""
    order = np.argsort(-known.scores, kind="stable")
    return Matches(
        photos=known.photos[order],
        scores=known.scores[order],
        hits=known.right[None, order],
        drawn=np.array([len(boxes.scores) for boxes in true], np.float64),
    )


def _part(found: Found, by: str, name: str, mask: Truth) -> Part:
    mine = found.of(np.flatnonzero(mask))
    ranked = together(guesses(mine), mine.true)
    ap50 = estimate(lambda times: float(average_precisions(ranked, times)[0]), len(mine))
    return Part(by, name, len(mine), int(ranked.drawn.sum()), ap50)


def _areas(boxes: coco.Boxes, photo: coco.TruePhoto, side: int) -> Floats:
    height, width = decode(photo.content, side, ImageLimits()).pixels.array.shape[:2]
    scale = side / max(width, height)
    lengths = (boxes.edges[:, 2:] - boxes.edges[:, :2]) * (width * scale, height * scale)
    return np.asarray(lengths.prod(axis=1))


def _recall(found: Found, chosen: Sequence[Truth], least: Mapping[int, float]) -> Estimate:
    counts = np.array([mask.sum() for mask in chosen], np.float64)
    hits = np.array(
        [
            (_seen(guessed, true, least) & mask).sum()
            for guessed, true, mask in zip(found.predicted, found.true, chosen, strict=True)
        ],
        np.float64,
    )
    return estimate(
        lambda times: float(times @ hits) / max(1e-12, float(times @ counts)), len(found)
    )


def _seen(guessed: coco.Boxes, true: coco.Boxes, least: Mapping[int, float]) -> Truth:
    """Which true boxes a box given of their label overlaps by half."""
    edges = np.array([least.get(int(label), 2.0) for label in guessed.labels])
    given = guessed.scores >= edges
    shared = coco.overlaps(true.edges, guessed.edges[given])
    shared[true.labels[:, None] != guessed.labels[given]] = 0
    return np.asarray((shared >= 0.5).any(axis=1))
