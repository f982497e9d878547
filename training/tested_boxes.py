"""Detectors, tested on photos with boxes that people drew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from chassis.images import ImageLimits, decode
from services.detector.model import Detection, Detections, load
from services.packages import Package
from services.packages.order import label_fields
from services.thresholds import Band, ThresholdSet
from training import agreement, coco
from training.bootstrap import Floats
from training.bootstrap_boxes import Matches, average_precisions, matches
from training.detection import Found
from training.objects_decisions import guesses
from training.objects_decisions import thresholds as fit
from training.own_photos import check_photos
from training.tested import Figure, Tested
from training.threshold_fit import FitPolicy

BOTH: Final = "val+test"  # the two splits together: few photos have boxes drawn by people
_FEWEST_BOXES: Final = 10  # of a label, for a figure of its own


@dataclass(frozen=True, slots=True)
class DrawnPhotos:
    """Photos, and the labels by the numbers that their boxes have."""

    dataset: str
    split: str
    photos: tuple[coco.TruePhoto, ...]
    label_ids: tuple[str, ...]


def examples(data: Path, split: str) -> DrawnPhotos:
    """The photos of `val`, `test` or `val+test`."""
    folder = data / "detection"
    photos = tuple(photo for part in split.split("+") for photo in coco.photos(folder, part))
    return DrawnPhotos("COCO 2017 subset", split, photos, ids_of(coco.labels(folder)))


def own(table: Path, photos: Path | None, package: Package) -> DrawnPhotos:  # noqa: ARG001
    """A folder in YOLO's form: images/, labels/ with a .txt for each, and classes.txt.

    Raises FileNotFoundError for a folder without photos or classes.txt, ValueError for one without
    boxes, with a photo or box that cannot be read, or with a label that classes.txt does not name.
    Hidden files are passed over: systems leave them beside photos.
    """
    pictures = sorted(path for path in (table / "images").glob("[!.]*") if path.is_file())
    if not pictures:
        raise FileNotFoundError(f"{table / 'images'} holds no photo")
    check_photos(pictures)
    _check_names(pictures, table / "labels")
    names = coco.labels(table)
    drawn = []
    for path in pictures:
        file = table / "labels" / f"{path.stem}.txt"
        lines = file.read_text() if file.is_file() else ""
        boxes = coco.boxes_of(lines, str(file))
        if strange := sorted(set(boxes.labels.tolist()) - set(range(len(names)))):
            raise ValueError(f"{file}: classes.txt names no label {strange[0]}, counted from 0")
        drawn.append(coco.TruePhoto(path.name, path.read_bytes(), boxes))
    if not any(len(photo.truth.labels) for photo in drawn):
        raise ValueError(f"{table / 'labels'} holds no box")
    return DrawnPhotos(table.name, "own", tuple(drawn), ids_of(names))


def ids_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Those that packages give labels of these names."""
    ids = tuple(field["id"] for field in label_fields(names))
    if twice := [name for name, one in zip(names, ids, strict=True) if ids.count(one) > 1]:
        raise ValueError(f"classes.txt names one label twice: {', '.join(twice)}")
    return ids


def label_ids(examples: DrawnPhotos) -> tuple[str, ...]:
    """Those that the truth speaks of."""
    return examples.label_ids


def test(package: Package, examples: DrawnPhotos, labels: tuple[str, ...]) -> Tested[Detections]:
    """Finds boxes of these labels in every photo; figures by label where enough were drawn."""
    found = _found(package, examples, labels)
    numbers = {label: examples.label_ids.index(label) for label in labels}
    predicted = [_boxes(one, numbers) for one in found]
    true = [photo.truth for photo in examples.photos]
    by_label = {label: matches(predicted, true, number) for label, number in numbers.items()}
    counted = {label: one for label, one in by_label.items() if one.drawn.any()}
    named = [label for label, one in counted.items() if one.drawn.sum() >= _FEWEST_BOXES]
    bands = package.manifest.bands()
    return Tested(
        dataset=examples.dataset,
        split=examples.split,
        count=len(true),
        unit="photos",
        figures=(Figure("AP50"), Figure("AP"), *(Figure(f"{label} AP50") for label in named)),
        measures=lambda times: _measured(counted, named, times),
        scored={label: one.scored() for label, one in by_label.items()},
        answers=tuple(
            Detections(tuple(box for box in one.boxes if _given(box, bands))) for one in found
        ),
    )


def disagreement(old: Tested[Detections], new: Tested[Detections]) -> Mapping[str, float]:
    """The share of boxes given that only one of them gave (IoU 0.5)."""
    compared = agreement.of_detections(list(zip(old.answers, new.answers, strict=True)), margin=0)
    return {"boxes": 1 - compared.same}


def thresholds(package: Package, examples: DrawnPhotos, policy: FitPolicy) -> ThresholdSet:
    """A set fitted as the default one is: labels with few boxes share a threshold."""
    numbers = {label: number for number, label in enumerate(examples.label_ids)}
    ids = tuple(label.id for label in package.manifest.labels if label.id in numbers)
    known = [numbers[label] for label in ids]
    found = Found(
        predicted=tuple(_boxes(one, numbers) for one in _found(package, examples, ids)),
        true=tuple(_of(photo.truth, known) for photo in examples.photos),
        milliseconds=0.0,
    )
    return fit(guesses(found), examples.label_ids, policy, examples.dataset, examples.split)


def _check_names(pictures: Sequence[Path], drawn: Path) -> None:
    """A photo whose boxes lie under another name would be learnt as one without any."""
    known = {path.stem for path in pictures} | {"classes"}  # some tools leave that one there
    if alone := sorted(path.name for path in drawn.glob("[!.]*.txt") if path.stem not in known):
        raise ValueError(f"{drawn}: {len(alone)} files belong to no photo, such as {alone[0]}")


def _of(boxes: coco.Boxes, labels: Sequence[int]) -> coco.Boxes:
    chosen = np.isin(boxes.labels, labels)
    return coco.Boxes(boxes.edges[chosen], boxes.labels[chosen], boxes.scores[chosen])


def _measured(by_label: Mapping[str, Matches], named: Sequence[str], times: Floats) -> Floats:
    table = {label: average_precisions(one, times) for label, one in by_label.items()}
    whole = np.array(list(table.values()))
    known = whole[~np.isnan(whole[:, 0])]
    means = (known[:, 0].mean(), known.mean()) if len(known) else (np.nan, np.nan)
    return np.array([*means, *(table[label][0] for label in named)])


def _found(
    package: Package, examples: DrawnPhotos, labels: tuple[str, ...]
) -> tuple[Detections, ...]:
    detector = load(package)
    found = []
    try:
        for photo in examples.photos:
            pixels = decode(photo.content, detector.max_side, ImageLimits()).pixels
            (one,) = detector.predict([pixels])
            if not isinstance(one, Detections):
                raise one
            found.append(Detections(tuple(box for box in one.boxes if box.label in labels)))
    finally:
        detector.close()
    return tuple(found)


def _boxes(found: Detections, numbers: Mapping[str, int]) -> coco.Boxes:
    edges = [(b.box.x_min, b.box.y_min, b.box.x_max, b.box.y_max) for b in found.boxes]
    return coco.Boxes(
        edges=np.array(edges, np.float64).reshape(-1, 4),
        labels=np.array([numbers[b.label] for b in found.boxes], np.intp),
        scores=np.array([b.score for b in found.boxes], np.float64),
    )


def _given(box: Detection, bands: Mapping[str, Band]) -> bool:
    present = bands[box.label].present
    return present is not None and box.score >= present
