"""The labelled faces: read from their archives once, kept decoded for every later run."""

import csv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

LABELS: Final = ("smiling", "sunglasses", "eyeglasses")
SIDE: Final = 128  # pixels a side as kept; the largest faces come in this size
UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """One split, in the order of its label file."""

    images: NDArray[np.uint8]  # (faces, SIDE, SIDE, 3), RGB; may lie on disk
    labels: NDArray[np.int8]  # (faces, len(LABELS)): 1, 0 or UNKNOWN
    names: tuple[str, ...]
    sources: tuple[str, ...]


def read_faces(data: Path, split: str, cache: Path) -> Faces:
    """Reads `data`/faces; decoded images are kept in `cache` and memory-mapped from there.

    Raises FileNotFoundError for a missing file, ValueError for an image that does not decode.
    """
    folder = data / "faces"
    with (folder / f"labels-{split}.csv").open(newline="") as file:
        rows = tuple(csv.DictReader(file))
    names = tuple(row["file"] for row in rows)
    kept = cache / f"faces-{split}-{SIDE}.npy"
    if not kept.exists():
        _decode(sorted(folder.glob(f"{split}-*.zip")), names, kept)
    labels = [[int(row[label] or UNKNOWN) for label in LABELS] for row in rows]
    return Faces(
        images=np.load(kept, mmap_mode="r"),
        labels=np.array(labels, np.int8),
        names=names,
        sources=tuple(row["source"] for row in rows),
    )


def _decode(archives: list[Path], names: tuple[str, ...], kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial")
    shape = (len(names), SIDE, SIDE, 3)
    images = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
    places = {name: place for place, name in enumerate(names)}
    progress = tqdm(total=len(names), desc=f"decoding {kept.stem}", unit="face")
    for path in archives:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                place = places.pop(Path(member).name, None)
                if place is not None:
                    images[place] = _face(archive.read(member), member)
                    progress.update()
    progress.close()
    if places:
        raise FileNotFoundError(f"{len(places)} labelled faces are in no archive: {min(places)}...")
    images.flush()
    partial.rename(kept)  # a run that was stopped leaves no half-filled cache behind


def _face(content: bytes, name: str) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ValueError(f"{name} does not decode")
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)
