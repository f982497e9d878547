"""Attribute packages of one's own: another network for the faces that a package finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from services import onnx_file
from services.classifier.model import ARTIFACT
from services.conversion import to_onnx
from services.packages import InvalidPackage
from services.packages.order import Order, inherited, label_fields
from services.runtimes import open_network

THRESHOLD: Final = 0.5


def fields(order: Order, folder: Path) -> dict[str, Any]:
    """Puts the network beside the base's face finder; returns what the manifest says of both.

    Raises InvalidPackage if the network does not answer a face with a logit per label.
    """
    source = order.network(ARTIFACT)
    base = inherited(order, folder)
    path = folder / "attributes.onnx"
    to_onnx(source, path)
    file = onnx_file.read(path)
    faces = file.photos()
    if faces.shape[0] > 0:
        raise InvalidPackage(f"{source} takes {faces.shape[0]} faces at once; export it dynamic")
    layout, side = _input(source, faces.shape, order.side)
    labels = label_fields(order.labels) if order.labels else base["labels"]
    _check_answer(file, (3, side, side) if layout == "NCHW" else (side, side, 3), len(labels))
    mean, std = (
        order.mean or base["preprocessing"]["mean"],
        order.std or base["preprocessing"]["std"],
    )
    return base | {
        "runtime": "onnxruntime",
        "artifacts": base["artifacts"] | {ARTIFACT: {"path": path.name}},
        "preprocessing": base["preprocessing"]
        | {"width": side, "height": side, "layout": layout, "mean": mean, "std": std},
        "labels": labels,
        "parameters": base["parameters"] | {"input": faces.name, "output": file.outputs[0].name},
        **order.thresholds(THRESHOLD),
    }


def _input(source: Path, shape: tuple[int, ...], said: int | None) -> tuple[str, int]:
    """The layout of a network's faces and their side in pixels, where 0 in `shape` is any size."""
    if 3 not in (shape[1], shape[3]):
        raise InvalidPackage(f"{source} takes shape {shape}, not faces of three channels")
    layout, (height, width) = ("NCHW", shape[2:]) if shape[1] == 3 else ("NHWC", shape[1:3])
    if 0 < height != width > 0:
        raise InvalidPackage(
            f"{source} takes faces of {width} x {height} pixels; wanted are squares"
        )
    side = max(height, width) or said
    if side is None:
        raise InvalidPackage(f"{source} takes faces of any size: say which with --size")
    return layout, side


def _check_answer(file: onnx_file.OnnxFile, face: tuple[int, ...], labels: int) -> None:
    if len(file.outputs) != 1:
        raise InvalidPackage(f"{file.path} has {len(file.outputs)} outputs, where one is wanted")
    # From black to white and beyond: a network that answers logits leaves [0, 1] somewhere.
    levels = np.linspace(-1, 1, 16, dtype=np.float32).reshape(-1, 1, 1, 1)
    noise = np.random.default_rng(1).standard_normal((16, *face), dtype=np.float32)
    network = open_network("onnxruntime", file.path, threads=1)
    answer = network.run({file.inputs[0].name: levels + noise})[file.outputs[0].name]
    network.close()
    if answer.shape != (16, labels):
        raise InvalidPackage(
            f"{file.path} answers 16 faces with shape {answer.shape}; wanted is (16, {labels}), a "
            "logit per label"
        )
    if answer.min() >= 0 and answer.max() <= 1:
        raise InvalidPackage(
            f"{file.path} answers probabilities; wanted are logits: leave its last sigmoid out"
        )
