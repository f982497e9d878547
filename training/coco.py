"""Average precision of boxes, as COCO defines it (T.-Y. Lin et al., ECCV 2014), in numpy.

A prediction is right if it overlaps a box of its label that no better prediction has taken. AP is
the mean precision at 101 recalls; AP50 counts overlaps (IoU) from 0.5, AP the mean over 0.5, 0.55,
... 0.95. A mean over labels counts those with at least one true box.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_OVERLAPS: Final = np.linspace(0.5, 0.95, 10)
_RECALLS: Final = np.linspace(0, 1, 101)
_ROUNDED: Final = 1e-3  # how far above 1 a fraction may be that was written with few digits


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Boxes of one photo: edges (n, 4) as x_min, y_min, x_max, y_max in [0, 1]."""

    edges: Floats
    labels: NDArray[np.intp]  # (n,)
    scores: Floats  # (n,); ones for true boxes

    def above(self, threshold: float) -> Boxes:
        """Those whose score is at least `threshold`."""
        chosen = self.scores >= threshold
        return Boxes(self.edges[chosen], self.labels[chosen], self.scores[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class TruePhoto:
    """An encoded photo and the boxes that people drew on it."""

    name: str
    content: bytes
    truth: Boxes


@dataclass(frozen=True, slots=True)
class Quality:
    """What a detector reaches on a set of photos; every figure in [0, 1]."""

    photos: int
    labels: int  # labels with at least one true box
    ap50: float
    ap: float
    ap50_by_label: dict[int, float]
    boxes_by_label: dict[int, int]


def labels(folder: Path) -> tuple[str, ...]:
    """The names in `classes.txt`, in the order of the network's outputs.

    Raises ValueError for a file without names, or with an empty line between them: a label's number
    is its line.
    """
    path = folder / "classes.txt"
    names = tuple(line.strip() for line in path.read_text("utf-8-sig").rstrip().splitlines())
    if not all(names) or not names:
        raise ValueError(f"{path}: wanted is a label's name on every line")
    return names


def photos(folder: Path, split: str) -> Iterator[TruePhoto]:
    """The photos of a split, in the order of their names, from `SPLIT-000.zip`."""
    with zipfile.ZipFile(folder / f"{split}-000.zip") as archive:
        names = set(archive.namelist())
        for name in sorted(name for name in names if name.startswith("images/")):
            drawn = f"labels/{PurePosixPath(name).stem}.txt"
            lines = archive.read(drawn).decode() if drawn in names else ""
            yield TruePhoto(name, archive.read(name), boxes_of(lines, drawn))


def boxes_of(lines: str, source: str) -> Boxes:
    """True boxes as YOLO's label files hold them: label, centre x, centre y, width, height.

    Raises ValueError with the place, in `source`, of a line that is not like that.
    """
    rows = [
        _row(line, f"{source}, line {number}")
        for number, line in enumerate(lines.splitlines(), start=1)
        if line.strip()
    ]
    drawn = np.array(rows, dtype=np.float64).reshape(-1, 5)
    centres, halves = drawn[:, 1:3], drawn[:, 3:5] / 2
    edges = np.concatenate((centres - halves, centres + halves), axis=1).clip(0, 1)
    return Boxes(edges, drawn[:, 0].astype(np.intp), np.ones(len(drawn)))


def quality(predicted: Sequence[Boxes], true: Sequence[Boxes]) -> Quality:
    """Compares the predictions of some photos with their true boxes, photo by photo."""
    present = sorted({int(label) for boxes in true for label in boxes.labels})
    by_label = {label: average_precision(predicted, true, label) for label in present}
    table = np.array(list(by_label.values()))
    drawn = np.concatenate([boxes.labels for boxes in true])
    return Quality(
        photos=len(true),
        labels=len(present),
        ap50=float(table[:, 0].mean()),
        ap=float(table.mean()),
        ap50_by_label={label: float(row[0]) for label, row in by_label.items()},
        boxes_by_label={label: int((drawn == label).sum()) for label in present},
    )


def average_precision(predicted: Sequence[Boxes], true: Sequence[Boxes], label: int) -> Floats:
    """AP of one label at each of the ten overlaps, shape (10,)."""
    scores, right = [], []
    count = 0
    for guesses, drawn in zip(predicted, true, strict=True):
        chosen = np.flatnonzero(guesses.labels == label)
        chosen = chosen[np.argsort(-guesses.scores[chosen], kind="stable")]
        targets = drawn.edges[drawn.labels == label]
        count += len(targets)
        scores.append(guesses.scores[chosen])
        right.append(matched(overlaps(guesses.edges[chosen], targets)))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    hits = np.concatenate(right, axis=1)[:, order].cumsum(axis=1)
    precision = hits / np.arange(1, hits.shape[1] + 1)
    return np.array([_area(h / count, p) for h, p in zip(hits, precision, strict=True)])


def found(guesses: Boxes, drawn: Boxes) -> int:
    """How many guesses of a photo, best first, find a true box of their label (IoU 0.5)."""
    count = 0
    for label in set(guesses.labels.tolist()):
        shared = overlaps(
            guesses.edges[guesses.labels == label], drawn.edges[drawn.labels == label]
        )
        count += int(matched(shared)[0].sum())
    return count


def overlaps(one: Floats, other: Floats) -> Floats:
    """IoU of each box (n, 4) with each of the others (m, 4), shape (n, m)."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(edges[:, 2:] - edges[:, :2], axis=1) for edges in (one, other)]
    whole: Floats = shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-12)
    return whole


def matched(shared: Floats) -> NDArray[np.bool_]:
    """Which guesses, best first, find a true box that is free yet: (overlaps, guesses)."""
    right = np.zeros((len(_OVERLAPS), shared.shape[0]), dtype=bool)
    if not shared.shape[1]:
        return right
    for row, least in zip(right, _OVERLAPS, strict=True):
        free = np.ones(shared.shape[1], dtype=bool)
        for guess in range(len(row)):
            nearest = int(np.argmax(np.where(free, shared[guess], -1)))
            if free[nearest] and shared[guess, nearest] >= least:
                row[guess], free[nearest] = True, False
    return right


def _row(line: str, place: str) -> tuple[float, ...]:
    try:
        label, *edges = map(float, line.split())
    except ValueError:
        label, edges = math.nan, []
    within = all(0 <= edge <= 1 + _ROUNDED for edge in edges)
    if len(edges) != 4 or not within or label < 0 or not label.is_integer():
        raise ValueError(
            f"{place}: {line.strip()!r} is not a label's number and the box's centre x, centre y, "
            "width and height as fractions of the photo"
        )
    return label, *edges


def _area(recall: Floats, precision: Floats) -> float:
    """Mean over the 101 recalls of the best precision at that recall or a higher one."""
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.append(envelope, 0.0)[places].mean())
