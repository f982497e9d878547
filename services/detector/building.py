"""Detection packages of one's own: what their manifest says, found out from the network."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.conversion import to_onnx
from services.detector import exported
from services.detector.model import ARTIFACT, FLOOR, INPUT, LIMIT, OUTPUT, OVERLAP
from services.manifest import Label
from services.packages import InvalidPackage
from services.packages.order import Order, label_fields
from services.runtimes import open_network

SIDE: Final = 640  # what Ultralytics trains and exports for unless told otherwise
THRESHOLD: Final = 0.3
_USUAL: Final = {"floor": FLOOR, "overlap": OVERLAP, "limit": LIMIT}


@dataclass(frozen=True, slots=True)
class _Unsaid:
    """What holds where neither the order nor the network's file says it."""

    side: int = SIDE
    mean: Sequence[float] = (0, 0, 0)
    std: Sequence[float] = (255, 255, 255)
    labels: Sequence[Label] = ()
    parameters: Mapping[str, Any] = field(default_factory=lambda: _USUAL)


def fields(order: Order, folder: Path) -> dict[str, Any]:
    """Puts the network's file into `folder` and returns what the manifest says of it.

    Raises InvalidPackage if the network is not one that answers as YOLO does.
    """
    source = order.network(ARTIFACT)
    unsaid = _unsaid(order)
    side = order.side or unsaid.side
    if order.as_is and source.suffix != ".onnx":
        path, runtime, found = _hosted(source, folder, side)
    else:
        path, runtime, found = _onnx(source, folder)
    width, height = found.width or side, found.height or side
    if order.side not in (None, width):
        raise InvalidPackage(f"{source} takes {width} pixels only; export it for {order.side}")
    if found.most > 1:
        raise InvalidPackage(
            f"{source} takes exactly {found.most} photos at once; export it with batch=1 or dynamic"
        )
    labels = _labels(order, found.labels, unsaid.labels)
    if not labels:
        raise InvalidPackage(f"{source} does not name its labels: say them with --labels")
    # A network for any shape says so, and of what its sides must be multiples.
    tight = found.width == found.height == 0 and found.stride > 0
    grey = np.full((1, 3, height, width), 0.5, dtype=np.float32)
    network = open_network(runtime, path, threads=1)
    answer = network.run({found.input: grey})[found.output]
    exported.check_answer(source, answer, len(labels), (width, height))
    network.close()
    return {
        "runtime": runtime,
        "artifacts": {ARTIFACT: {"path": path.name}},
        "preprocessing": {
            "width": width,
            "height": height,
            "resize": "tight_letterbox" if tight else "letterbox",
            "layout": "NCHW",
            "mean": order.mean or unsaid.mean,
            "std": order.std or unsaid.std,
        },
        "max_side": max(width, height),
        "batch_sizes": [1] if found.most else [1, 2, 4],
        "labels": labels,
        **order.thresholds(THRESHOLD),
        "parameters": {
            "input": found.input,
            "output": found.output,
            **unsaid.parameters,
            **({"stride": found.stride} if tight else {}),
        },
    }


def _unsaid(order: Order) -> _Unsaid:
    """The base's. Figures, calibration and thresholds are left behind: of other weights."""
    if order.base is None:
        return _Unsaid()
    base = order.base.manifest
    if base.task is not order.task:
        raise InvalidPackage(f"{order.base.path}: --base must be a {order.task} package, too")
    shape = base.preprocessing
    kept = {name: base.parameters.get(name, usual) for name, usual in _USUAL.items()}
    return _Unsaid(shape.width, shape.mean, shape.std, base.labels, kept)


def _labels(order: Order, found: tuple[str, ...], base: Sequence[Label]) -> list[dict[str, str]]:
    """As the order says, as the file does, or as `base`: with its ids, where the names are its."""
    names = order.labels or found
    if names in ((), tuple(label.name for label in base)):
        return [{"id": label.id, "name": label.name} for label in base]
    return label_fields(names)


def _hosted(source: Path, folder: Path, side: int) -> tuple[Path, str, exported.Exported]:
    """A checkpoint that the ultralytics runtime loads as it is."""
    from services.runtimes.ultralytics import read_checkpoint

    names = read_checkpoint(source).names
    path = folder / "detector.pt"
    shutil.copyfile(source, path)
    found = exported.Exported(
        INPUT, OUTPUT, width=side, height=side, most=0, stride=0, labels=tuple(names.values())
    )
    return path, "ultralytics", found


def _onnx(source: Path, folder: Path) -> tuple[Path, str, exported.Exported]:
    path = folder / "detector.onnx"
    to_onnx(source, path)
    return path, "onnxruntime", exported.read(path)
