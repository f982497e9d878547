"""From what a trainer wrote to ONNX; the conversion itself belongs to the training environment."""

from __future__ import annotations

import shutil
from pathlib import Path

from services.packages import InvalidPackage
from services.runtimes import RuntimeUnavailable


def to_onnx(source: Path, path: Path) -> None:
    """Writes the ONNX file of a network: a copy, or converted from Keras or Ultralytics.

    Raises RuntimeUnavailable if the libraries for it are missing.
    """
    if source.suffix == ".onnx":
        shutil.copyfile(source, path)
        return
    if source.suffix not in (".pt", ".keras", ".h5"):
        raise InvalidPackage(f"{source}: models are packaged from .onnx, .pt, .keras and .h5 files")
    try:
        # Torch and TensorFlow take seconds and gigabytes: neither is loaded for the other.
        if source.suffix == ".pt":
            from training.yolo import export

            export(source, path)
        else:
            from training.keras_export import export as export_keras

            export_keras(source, path)
    except ImportError as missing:
        raise RuntimeUnavailable(
            f"{source.suffix} files are converted in the training environment "
            f"({missing.name} is not installed here): pip install -r requirements/training.txt; "
            "an .onnx file needs no conversion"
        ) from missing
