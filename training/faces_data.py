"""The labelled faces: read from their archives once, kept decoded for every later run."""

import csv
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from training.begun import begin, digest

LABELS: Final = ("smiling", "sunglasses", "eyeglasses")
SIDE: Final = 128  # pixels a side as kept; the largest faces come in this size
UNKNOWN: Final = -1
_SHOWN: Final = {"smilesmiled": 0.65}  # of the side; cut tight: so eyes and mouth lie as elsewhere


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """One split, in the order of its label file."""

    images: NDArray[np.uint8]  # (faces, SIDE, SIDE, 3), RGB; may lie on disk
    labels: NDArray[np.int8]  # (faces, len(LABELS)): 1, 0 or UNKNOWN
    names: tuple[str, ...]
    sources: tuple[str, ...]
    landmarks: NDArray[np.float32]  # (faces, 5, 2): x and y, NaN where not known

    def part(self, chosen: NDArray[np.int64]) -> "Faces":
        """The faces at these places."""
        return Faces(
            images=self.images[chosen],
            labels=self.labels[chosen],
            names=tuple(self.names[place] for place in chosen),
            sources=tuple(self.sources[place] for place in chosen),
            landmarks=self.landmarks[chosen],
        )


def read_faces(data: Path, split: str, cache: Path) -> Faces:
    """Reads `data`/faces; decoded images are kept in `cache` and memory-mapped from there.

    Raises FileNotFoundError for a missing file, ValueError for an image that does not decode and
    for a cache of other faces, or of these in another order.
    """
    folder = data / "faces"
    with (folder / f"labels-{split}.csv").open(newline="") as file:
        rows = tuple(csv.DictReader(file))
    names = tuple(row["file"] for row in rows)
    kept = cache / f"framed-{split}-{SIDE}.npy"
    shown = {row["file"]: _SHOWN.get(row["source"], 1.0) for row in rows}
    if not kept.exists():
        _decode(sorted(folder.glob(f"{split}-*.zip")), shown, kept)
    begin(cache, {f"faces of {split}": digest(f"{name} {share}" for name, share in shown.items())})
    labels = [[int(row[label] or UNKNOWN) for label in LABELS] for row in rows]
    return Faces(
        images=np.load(kept, mmap_mode="r"),
        labels=np.array(labels, np.int8),
        names=names,
        sources=tuple(row["source"] for row in rows),
        landmarks=_landmarks(folder / f"landmarks-{split}.csv", names),
    )


def _landmarks(path: Path, names: tuple[str, ...]) -> NDArray[np.float32]:
    """Eyes, nose and mouth's corners; whoever has none is framed so that they are not needed."""
    with path.open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        points = {name: [float(value) for value in values] for name, *values in rows}
    unknown = [np.nan] * 10
    return np.array([points.get(name, unknown) for name in names], np.float32).reshape(-1, 5, 2)


def _decode(archives: list[Path], shown: Mapping[str, float], kept: Path) -> None:
    """Decodes the faces named in `shown`, in that order, each as large as it says."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial")
    shape = (len(shown), SIDE, SIDE, 3)
    images = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
    places = {name: place for place, name in enumerate(shown)}
    for path in track(archives, f"decoding {kept.stem}"):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                name = Path(member).name
                place = places.pop(name, None)
                if place is not None:
                    images[place] = _face(archive.read(member), member, shown[name])
    if places:
        raise FileNotFoundError(f"{len(places)} labelled faces are in no archive: {min(places)}...")
    images.flush()
    partial.rename(kept)  # a run that was stopped leaves no half-filled cache behind


def _face(content: bytes, name: str, shown: float) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ValueError(f"{name} does not decode")
    side = round(SIDE * shown)
    face = cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC)
    before = (SIDE - side) // 2
    after = SIDE - side - before
    return np.asarray(
        cv2.copyMakeBorder(face, before, after, before, after, cv2.BORDER_REPLICATE), np.uint8
    )
