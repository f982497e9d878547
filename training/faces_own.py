"""Faces with labels as evaluation reads them: a split of the data, or a team's table and photos."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np
from numpy.typing import NDArray

from chassis.images import ImageLimits, decode
from services.classifier.faces import FaceFinder, Search
from services.classifier.framing import face_crop
from services.classifier.model import FINDERS
from services.packages import Package
from training.faces_data import LABELS, SIDE, UNKNOWN, Faces, read_faces
from training.faces_truth import reviewed
from training.own_photos import check_photos, read_table

NAME: Final = "file"
GROUP: Final = "group"
# Programs that know no column of whole numbers with gaps write 1.0 and 0.0.
_VALUES: Final = {"1": 1, "0": 0, "1.0": 1, "0.0": 0, "": UNKNOWN}


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFaces:
    """Framed faces and what is known of them."""

    dataset: str
    split: str
    images: NDArray[np.uint8]  # (faces, SIDE, SIDE, 3), RGB; may lie on disk
    names: tuple[str, ...]
    label_ids: tuple[str, ...]
    labels: NDArray[np.int8]  # (faces, labels): 1, 0 or UNKNOWN
    lost: tuple[str, ...] = ()  # photos in which no face was found
    groups: tuple[str, ...] = ()  # of each face that it may not be parted from; empty: none is told

    def as_faces(self) -> Faces:
        """The same for the trainer, which knows its own labels only; others are left out."""
        columns = [
            self.labels[:, self.label_ids.index(label)]
            if label in self.label_ids
            else np.full(len(self.names), UNKNOWN, np.int8)
            for label in LABELS
        ]
        return Faces(
            images=self.images,
            labels=np.stack(columns, axis=1),
            names=self.names,
            sources=(self.dataset,) * len(self.names),
            landmarks=np.full((len(self.names), 5, 2), np.nan, np.float32),
        )


def split_of(data: Path, split: str, work: Path) -> LabelledFaces:
    """A split of `data`/faces, decoded once into `work`; smiles as they were reviewed."""
    faces = reviewed(read_faces(data, split, work), split)
    return LabelledFaces("faces", split, faces.images, faces.names, LABELS, faces.labels)


def own_faces(table: Path, photos: Path, finder: Package) -> LabelledFaces:
    """A CSV file (columns file and a label each: 1, 0 or nothing) and the photos it names.

    A column `group` is no label: it says which photos belong together, of one person, say. Of each
    photo the surest face counts, framed as a service frames it by the finder of a package.
    Raises ValueError for a table that is not like that and for photos that cannot be read,
    FileNotFoundError for missing ones.
    """
    label_ids, rows, groups = _rows(table)
    if missing := sorted(name for name in rows if not (photos / name).is_file()):
        raise FileNotFoundError(f"{photos} lacks {len(missing)} photos, such as {missing[0]}")
    check_photos(photos / name for name in rows)
    search = _finder(finder)
    framed = {name: _framed(search, photos / name) for name in rows}
    search.close()
    found = {name: image for name, image in framed.items() if image is not None}
    if not found:
        raise ValueError(f"{photos}: no face was found in any of {len(rows)} photos")
    if lost := tuple(name for name in rows if name not in found):
        click.echo(
            f"left out: no face was found in {len(lost)} of {len(rows)} photos, such as {lost[0]}",
            err=True,
        )
    return LabelledFaces(
        dataset=table.name,
        split="own",
        images=np.stack(list(found.values())),
        names=tuple(found),
        label_ids=label_ids,
        labels=np.array([rows[name] for name in found], np.int8),
        lost=lost,
        groups=tuple(groups[name] for name in found) if groups else (),
    )


def _rows(table: Path) -> tuple[tuple[str, ...], dict[str, list[int]], dict[str, str]]:
    """The labels, and by photo what is said of each, and its group if there are any."""
    with read_table(table) as lines:
        reader = csv.DictReader(lines)
        reader.fieldnames = names = [name.strip() for name in reader.fieldnames or ()]
        label_ids = tuple(name for name in names if name not in {NAME, GROUP})
        if NAME not in names or not label_ids:
            raise ValueError(f"{table}: needs a column {NAME} and one for each label")
        rows: dict[str, list[int]] = {}
        groups: dict[str, str] = {}
        for row in reader:
            name, place = (row[NAME] or "").strip(), f"{table}, line {reader.line_num}"
            said = [_value(row[label], place) for label in label_ids]
            if not name:
                raise ValueError(f"{place}: names no file")
            if rows.setdefault(name, said) != said:
                raise ValueError(f"{place}: says of {name} something else than a line before")
            if GROUP in names:
                groups[name] = (row[GROUP] or "").strip() or name
    if not rows:
        raise ValueError(f"{table}: names no photo")
    return label_ids, rows, groups


def _value(text: str | None, place: str) -> int:
    value = _VALUES.get((text or "").strip())
    if value is None:
        raise ValueError(f"{place}: {text!r} is neither 1 nor 0 nor nothing")
    return value


def _finder(package: Package) -> FaceFinder:
    pnet, rnet, onet = (package.network(name) for name in FINDERS)
    return FaceFinder(pnet, rnet, onet, Search(max_side=package.manifest.max_side))


def _framed(finder: FaceFinder, path: Path) -> NDArray[np.uint8] | None:
    photo = decode(path.read_bytes(), 640, ImageLimits()).pixels.array
    faces = finder.find(photo)
    return face_crop(photo, faces[0].landmarks, SIDE) if faces else None
