"""Compares ways to explain a face's label, on faces of val that have landmarks.

    python -m training.heatmaps models/attributes/1.0.0 --faces 100

Writes a table for docs: where the maps lie, deletion and insertion, and CPU time. Needs `onnx`.
"""

from __future__ import annotations

import csv
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import cv2
import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from chassis.images import Pixels
from services.classifier.covering import Covering
from services.classifier.faces import FoundFace
from services.classifier.framing import face_crop, face_window
from services.classifier.model import ARTIFACT, Attributes, Classifier, Face, LabelScore, load
from services.classifier.squares import Image
from services.model import Box
from services.packages import Package, open_package
from training.heatmap_scores import Floats, Landmarks, deletion_and_insertion, mass, region
from training.onnx_weights import weights_of
from training.options import data_option

_SURE: Final = 0.8  # faces whose score is at least this: there is something to explain
_MASKS: Final = 300  # of RISE
_KEPT: Final = 0.5  # share of a face that one of them leaves uncovered
_CELLS: Final = 8  # a side of theirs


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A face as the network sees it, in a photo of its own."""

    photo: Pixels
    landmarks: Landmarks
    crop: Image

    def find(self, _: Image) -> tuple[FoundFace, ...]:
        """The face, where people marked it."""
        return (FoundFace(np.zeros(4, np.float32), self.landmarks, 1.0),)


Way = Callable[[Sample], Floats]


@click.command()
@click.argument("package", type=click.Path(exists=True, file_okay=False, path_type=Path))
@data_option("faces/")
@click.option("--faces", default=100, show_default=True, help="Faces per label.")
@click.option("--label", "labels", multiple=True, default=("smiling", "eyeglasses"))
def main(package: Path, data: Path, faces: int, labels: tuple[str, ...]) -> None:
    """Prints a row for each label and each way to explain it."""
    opened = open_package(str(package))
    classifier = load(opened)
    click.echo("| label | map | faces | mass | chance | peak | deletion | insertion | CPU |")
    click.echo("|---|---|---|---|---|---|---|---|---|")
    for label in labels:
        samples = tuple(_sure(classifier, label, data, faces))
        for name, way in _ways(classifier, opened, label).items():
            click.echo(f"| {label} | {name} | " + _measured(classifier, label, samples, way))


def _measured(classifier: Classifier, label: str, samples: tuple[Sample, ...], way: Way) -> str:
    place = [one.id for one in classifier.package.manifest.labels].index(label)

    def score(crops: list[Image]) -> NDArray[np.float64]:
        return classifier.probabilities(classifier.logits(crops))[:, place]

    began = time.process_time()
    maps = [way(sample) for sample in samples]
    spent = (time.process_time() - began) / len(samples)
    rows = []
    for sample, values in zip(samples, maps, strict=True):
        window, inside = face_window(sample.landmarks), region(label, sample.landmarks)
        peak = values == values.max()
        rows.append(
            (
                *mass(values, window, inside),
                mass(peak.astype(np.float32), window, inside)[0],
                *deletion_and_insertion(sample.crop, values, score),
            )
        )
    share, chance, peaks, deleted, inserted = np.mean(rows, axis=0)
    return (
        f"{len(samples)} | {share:.2f} | {chance:.2f} | {peaks:.0%} | {deleted:.3f} | "
        f"{inserted:.3f} | {spent * 1e3:.0f} ms |"
    )


def _sure(classifier: Classifier, label: str, data: Path, most: int) -> Iterator[Sample]:
    """Faces of val that have the label and that the network is sure of, in a fixed random order."""
    place = [one.id for one in classifier.package.manifest.labels].index(label)
    side = classifier.package.manifest.preprocessing.width
    landmarks = read_landmarks(data, "val")
    with (data / "faces" / "labels-val.csv").open(newline="") as file:
        names = [row["file"] for row in csv.DictReader(file) if row[label] == "1"]
    chosen = 0
    for name in np.random.default_rng(0).permutation(sorted(set(names) & landmarks.keys())):
        photo = Pixels(read_face(data, "val", name))
        crop = face_crop(photo.array, landmarks[name], side)
        if classifier.probabilities(classifier.logits([crop]))[0, place] >= _SURE:
            yield Sample(photo, landmarks[name], crop)
            chosen += 1
        if chosen == most:
            return


def read_landmarks(data: Path, split: str) -> Mapping[str, Landmarks]:
    """The five points of every face that has them, by the face's name, in pixels of its photo."""
    with (data / "faces" / f"landmarks-{split}.csv").open(newline="") as file:
        return {
            row.pop("file"): np.array([*map(float, row.values())], np.float32).reshape(5, 2)
            for row in csv.DictReader(file)
        }


def read_face(data: Path, split: str, name: str) -> Image:
    """A face's photo; FileNotFoundError if no archive holds it."""
    for path in sorted((data / "faces").glob(f"{split}-*.zip")):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if Path(member).name == name:
                    content = np.frombuffer(archive.read(member), np.uint8)
                    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR_RGB), np.uint8)
    raise FileNotFoundError(name)


def _ways(classifier: Classifier, package: Package, label: str) -> dict[str, Way]:
    place = [one.id for one in package.manifest.labels].index(label)
    activations = _Activations(package, place)
    return {
        "covers, 9 x 9 (served)": lambda sample: covers(classifier, sample, label),
        "class activation map": activations.map,
        "RISE, 300 masks": lambda sample: _rise(classifier, sample.crop, place),
        "random": lambda _: np.random.default_rng(3).random((9, 9)).astype(np.float32),
    }


def covers(classifier: Classifier, sample: Sample, label: str) -> Floats:
    """The map that is served."""
    labels = [one.id for one in classifier.package.manifest.labels]
    covering = Covering(sample, classifier, labels, sample.crop.shape[0])
    face = Face(Box(0, 0, 1, 1), 1.0, (LabelScore(label, 1.0),))
    steps = covering.explain(sample.photo, Attributes((face,), ()))
    ((found,),) = [done for done in steps if done]
    return found.values


class _Activations:
    """B. Zhou et al., "Learning Deep Features for Discriminative Localization", 2016."""

    def __init__(self, package: Package, place: int) -> None:
        model = onnx.load(package.file(ARTIFACT))
        pool = next(node for node in model.graph.node if node.op_type == "GlobalAveragePool")
        self._maps = pool.input[0]
        model.graph.output.append(onnx.helper.make_tensor_value_info(self._maps, 1, None))
        self._session = ort.InferenceSession(model.SerializeToString())
        last = next(node for node in reversed(model.graph.node) if node.op_type == "Gemm")
        self._weights = weights_of(model)[last.input[1]][:, place]
        shape = package.manifest.preprocessing
        self._mean, self._std = np.array(shape.mean), np.array(shape.std)

    def map(self, sample: Sample) -> Floats:
        face = ((sample.crop - self._mean) / self._std).transpose(2, 0, 1)[None]
        given = {self._session.get_inputs()[0].name: face.astype(np.float32)}
        (maps,) = self._session.run([self._maps], given)
        return np.asarray(np.tensordot(self._weights, maps[0], (0, 0)), np.float32)


def _rise(classifier: Classifier, crop: Image, place: int) -> Floats:
    random, side = np.random.default_rng(1), crop.shape[0]
    step = -(-side // _CELLS)
    masks = np.empty((_MASKS, side, side), np.float32)
    for mask in masks:
        cells = (random.random((_CELLS + 1, _CELLS + 1)) < _KEPT).astype(np.float32)
        large = cv2.resize(cells, ((_CELLS + 1) * step,) * 2, interpolation=cv2.INTER_LINEAR)
        down, across = random.integers(0, step, 2)
        mask[:] = large[down : down + side, across : across + side]
    plain, grey = crop.astype(np.float32), crop.mean(axis=(0, 1))
    shown = [(grey + (plain - grey) * mask[..., None]).astype(np.uint8) for mask in masks]
    logits = classifier.logits(shown)[:, place]
    # Without the means, chance correlations of so few masks would outweigh what they show.
    found = np.tensordot(logits - logits.mean(), masks - masks.mean(axis=0), (0, 0)) / _MASKS
    return np.asarray(cv2.resize(found.astype(np.float32), (28, 28), interpolation=cv2.INTER_AREA))


if __name__ == "__main__":
    main()
