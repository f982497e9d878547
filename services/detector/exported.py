"""Other people's detection networks: what an ONNX file says of itself, whether it can serve."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services import onnx_file
from services.packages import InvalidPackage

_EXPORT: Final = "export it as Ultralytics does: yolo export model=best.pt format=onnx"


@dataclass(frozen=True, slots=True)
class Exported:
    """A detection network in an ONNX file."""

    input: str
    output: str
    width: int  # of the input, in pixels; 0 where any will do
    height: int
    most: int  # photos at once; 0 where any number will do
    stride: int  # pixels of which the input's sides are multiples; 0 where the file does not say
    labels: tuple[str, ...]  # empty where the file does not say


def read(path: Path) -> Exported:
    """Reads an ONNX file; InvalidPackage if its inputs and outputs are not a YOLO detector's."""
    file = onnx_file.read(path)
    photos = file.photos()
    if photos.shape[1] not in (0, 3):
        raise InvalidPackage(
            f"{path} takes photos of shape {photos.shape}, not (batch, 3, height, width)"
        )
    if len(file.outputs) != 1:
        raise InvalidPackage(
            f"{path} has {len(file.outputs)} outputs, where a detector has one; {_EXPORT}"
        )
    most, _, height, width = photos.shape
    names = _names(path, file.metadata.get("names", ""))
    stride = file.metadata.get("stride", "")
    return Exported(
        input=photos.name,
        output=file.outputs[0].name,
        width=width,
        height=height,
        most=most,
        stride=int(stride) if stride.isdecimal() else 0,
        labels=names,
    )


def check_answer(path: Path, raw: NDArray[np.float32], labels: int, size: tuple[int, int]) -> None:
    """Raises InvalidPackage if a network's answer to a photo is read otherwise than YOLO's is.

    `size` is the width and height of the network's input, in pixels.
    """
    rows = 4 + labels
    shape = raw.shape
    if len(shape) == 3 and shape[2] == 6 and shape[1] <= 1000:
        raise InvalidPackage(
            f"{path} answers {shape}: it suppresses overlapping boxes itself; export it with "
            "nms=False end2end=False"
        )
    if len(shape) == 3 and shape[2] in (rows, rows + 1) and shape[1] > shape[2]:
        raise InvalidPackage(
            f"{path} answers {shape}, boxes first, as YOLOv5 and others do; wanted is "
            f"(1, {rows}, boxes); {_EXPORT}"
        )
    if len(shape) != 3 or shape[1] != rows:
        raise InvalidPackage(
            f"{path} answers {shape}; wanted is (1, {rows}, boxes): four box rows and a score "
            f"for each of {labels} labels"
        )
    _check_values(path, raw[0], size)


def _check_values(path: Path, raw: NDArray[np.float32], size: tuple[int, int]) -> None:
    boxes, scores = raw[:4], raw[4:]
    if not np.isfinite(raw).all():
        raise InvalidPackage(f"{path} answers numbers that are not finite")
    if scores.min() < 0 or scores.max() > 1:
        raise InvalidPackage(
            f"{path} answers scores from {scores.min():.2f} to {scores.max():.2f}; wanted are "
            "probabilities: its last layer must be a sigmoid"
        )
    if boxes.max() <= 2:
        raise InvalidPackage(f"{path} answers boxes as fractions; wanted are pixels of the input")
    if _are_corners(boxes, size):
        raise InvalidPackage(
            f"{path} answers boxes as two corners; wanted are centre, width and height"
        )


def _are_corners(boxes: NDArray[np.float32], size: tuple[int, int]) -> bool:
    """Whether the boxes are x_min, y_min, x_max, y_max.

    Boxes come from a grid, so their centres are around the photo's middle on the whole.
    """
    middle = np.array(size) / 2
    as_centres = np.abs(boxes[:2].mean(axis=1) - middle)
    as_corners = np.abs((boxes[:2] + boxes[2:]).mean(axis=1) / 2 - middle)
    return bool((boxes[2:] >= boxes[:2]).all() and (as_corners < as_centres).all())


def _names(path: Path, text: str) -> tuple[str, ...]:
    """Ultralytics' `names`: a dict of Python, by place."""
    if not text:
        return ()
    try:
        names = ast.literal_eval(text)
        return tuple(str(names[place]) for place in range(len(names)))
    except (ValueError, SyntaxError, KeyError, TypeError):
        raise InvalidPackage(
            f"{path}: its metadata's names are not readable: {text[:80]}"
        ) from None
