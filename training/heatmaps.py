"""Compares ways to explain a face's label, on faces of val that have landmarks.

    python -m training.heatmaps models/attributes/1.1.0 --faces 100

Writes a table for docs: where the maps lie, deletion and insertion, and CPU time. Needs `onnx`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
import cv2
import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from services.classifier.model import ARTIFACT, Classifier, load
from services.classifier.squares import Image
from services.packages import Package, open_package
from training.heatmap_faces import Sample, covers, sure_faces
from training.heatmap_scores import Floats, deletion_and_insertion, mass, region, spread
from training.onnx_weights import weights_of
from training.options import data_option

_MASKS: Final = 300  # of RISE
_KEPT: Final = 0.5  # share of a face that one of them leaves uncovered
_CELLS: Final = 8  # a side of theirs


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
        samples = tuple(sure_faces(classifier, label, data, faces))
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
        window, inside = sample.window, region(label, sample.landmarks)
        smooth = spread(values, sample.crop.shape[0])
        peak = smooth == smooth.max()
        rows.append(
            (
                *mass(smooth, window, inside),
                mass(peak.astype(np.float32), window, inside)[0],
                *deletion_and_insertion(sample.crop, values, score),
            )
        )
    share, chance, peaks, deleted, inserted = np.mean(rows, axis=0)
    return (
        f"{len(samples)} | {share:.2f} | {chance:.2f} | {peaks:.0%} | {deleted:.3f} | "
        f"{inserted:.3f} | {spent * 1e3:.0f} ms |"
    )


def _ways(classifier: Classifier, package: Package, label: str) -> dict[str, Way]:
    place = [one.id for one in package.manifest.labels].index(label)
    activations = _Activations(package, place)
    return {
        "covers, 9 x 9 (served)": lambda sample: covers(classifier, sample, label),
        "class activation map": activations.map,
        "RISE, 300 masks": lambda sample: _rise(classifier, sample.crop, place),
        "random": lambda _: np.random.default_rng(3).random((9, 9)).astype(np.float32),
    }


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
