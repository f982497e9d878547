"""Real packages under other versions: as good as the ones they are made from, or with a fault."""

import json
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import numpy_helper

from services.packages import Package, open_package
from services.packages.golden import complete
from services.packages.trial import load_model

OBJECTS: Final = Path("models/objects/1.1.0")

_PHOTOS: Final = tuple(Path("tests/photos") / name for name in ("astronaut.jpg", "cat.jpg"))
# The first layer's, over red, green and blue.
_FIRST: Final = "model.0.conv.weight"


def renamed(folder: Path, version: str) -> Package:
    """The objects model as it is, under another version."""
    return _made(folder, version, onnx.load(OBJECTS / "detector.onnx"))


def swapped(folder: Path, version: str) -> Package:
    """The objects model, exported for blue, green and red: it takes each photo for another one.

    Its golden answers are its own, so that it is verified, loaded and ready like any other.
    """
    network = onnx.load(OBJECTS / "detector.onnx")
    for weight in network.graph.initializer:
        if weight.name.startswith(_FIRST):
            values = np.ascontiguousarray(numpy_helper.to_array(weight)[:, ::-1])
            weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    return _made(folder, version, network)


def _made(folder: Path, version: str, network: onnx.ModelProto) -> Package:
    manifest = open_package(OBJECTS).manifest
    made = folder / manifest.name / version
    made.mkdir(parents=True)
    onnx.save(network, made / "detector.onnx")
    fields = json.loads((OBJECTS / "manifest.json").read_text())
    fields["golden"].pop("cases")
    own = {"version": version, "artifacts": {"detector": {"path": "detector.onnx"}}}
    return complete(made, {**fields, **own}, _PHOTOS, load_model)
