"""Packages of the default detector: pretrained weights, for inputs of any size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from services.detector.model import load
from services.packages import Package
from services.packages.golden import complete
from training import coco
from training.threshold_fit import DEFAULT_POLICY, FitPolicy

SIDE: Final = 512
REFERENCE: Final = Path("reference-weights/yolov8n-float16.safetensors")
GOLDEN: Final = tuple(
    Path("tests/photos") / name for name in ("astronaut.jpg", "cat.jpg", "coffee.jpg")
)
EVEN: Final = "even-v1"  # boxes that are more likely right than wrong
DEFAULT: Final = f"{FitPolicy.read(DEFAULT_POLICY).name}-v1"

EVEN_SET: Final = {"labels": {"*": {"present": 0.5, "absent": 0.5}}}


def build(
    folder: Path,
    data: Path,
    version: str,
    *,
    more: Mapping[str, Any] | None = None,
) -> Package:
    """Writes the package, all but its card.

    `more` are fields of the manifest that say what the network's scores mean; without them they
    are the network's own.
    """
    from training import yolo  # here, since evaluation needs neither torch nor Ultralytics

    folder.mkdir(parents=True)
    labels = coco.labels(data / "detection")
    network = yolo.from_reference(data / REFERENCE, labels)
    yolo.to_onnx(network, folder / "detector.onnx", labels)
    fields = _fields(labels, version)
    return complete(folder, {**fields, **(more or {})}, GOLDEN, load)


def _fields(labels: tuple[str, ...], version: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "name": "objects",
        "version": version,
        "task": "detection",
        "feature": "objects",
        "summary": "Finds and names everyday objects, the 80 kinds of COCO, with YOLOv8n.",
        "runtime": "onnxruntime",
        "artifacts": {"detector": {"path": "detector.onnx"}},
        "preprocessing": {
            "width": SIDE,
            "height": SIDE,
            "resize": "tight_letterbox",
            "layout": "NCHW",
            "mean": [0, 0, 0],
            "std": [255, 255, 255],
        },
        "max_side": SIDE,
        "batch_sizes": [1, 2, 4],
        "labels": [{"id": name.replace(" ", "_"), "name": name.capitalize()} for name in labels],
        "threshold_sets": {EVEN: EVEN_SET},
        "default_threshold_set": EVEN,
        "parameters": {"floor": 0.01, "overlap": 0.6, "limit": 300, "stride": 32},
        "limits": [
            "small and crowded objects: most of them are not given at the default thresholds",
            "kinds that COCO has not: missed, or named as what they resemble",
            "drawings, X-rays, views from above: not measured",
            "how well people are found was not measured by age, skin or dress",
        ],
        "license": {
            "id": "AGPL-3.0-only",
            "text": "Weights by Ultralytics under AGPL-3.0: who offers them over a network must "
            "offer the corresponding source to its users. Other terms: Ultralytics' licence for "
            "enterprises. Trained on COCO 2017, whose photos have their authors' Flickr licences.",
            "commercial_use": False,  # not in a closed product without a further agreement
        },
        "provenance": {
            "sources": [
                "Ultralytics YOLOv8n, trained on COCO 2017 train; 16-bit weights, batch norms "
                "folded, nothing trained further"
            ],
            "command": "make train-objects",
        },
    }
