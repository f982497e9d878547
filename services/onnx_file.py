"""What an ONNX file says of itself: its inputs, outputs and metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnxruntime as ort

from services.packages import InvalidPackage


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output."""

    name: str
    kind: str  # like "tensor(float)"
    shape: tuple[int, ...]  # 0 where any size will do

    @classmethod
    def of(cls, node: ort.NodeArg) -> Port:
        """The port that ONNX Runtime describes so."""
        return cls(node.name, node.type, tuple(s if isinstance(s, int) else 0 for s in node.shape))


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A network in a file."""

    path: Path
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    metadata: Mapping[str, str]

    def photos(self) -> Port:
        """Its one input, float32 of four dimensions; InvalidPackage if it is another kind."""
        if len(self.inputs) != 1:
            raise InvalidPackage(f"{self.path} has {len(self.inputs)} inputs, where photos are one")
        port = self.inputs[0]
        if port.kind != "tensor(float)":
            raise InvalidPackage(
                f"{self.path} takes {port.kind}, not tensor(float): export it in 32 bits"
            )
        if len(port.shape) != 4:
            raise InvalidPackage(f"{self.path} takes shape {port.shape}, not a batch of photos")
        return port


def read(path: Path) -> OnnxFile:
    """Reads a file; InvalidPackage if ONNX Runtime cannot load it."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InvalidPackage(
            f"{path} is no ONNX file that ONNX Runtime can load: {error}"
        ) from error
    return OnnxFile(
        path,
        tuple(map(Port.of, session.get_inputs())),
        tuple(map(Port.of, session.get_outputs())),
        session.get_modelmeta().custom_metadata_map,
    )
