"""Tiny packages and photos: networks of a few numbers, whose answers can be told in advance."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from services.detector.model import load as load_detector
from services.packages import Package
from services.packages.golden import complete
from tests.harness import ROOT

SIDE = 32  # pixels, of photos and of networks
BOX = (0.5, 0.5, 0.5, 0.5)  # centre and size of the object in every photo

_LICENSE = {"id": "CC0-1.0", "text": "Free for all.", "commercial_use": True}


def write_model(path: Path, nodes, constants, shape, output) -> None:
    """An ONNX file with one input, `images`, and one output."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def detector(folder: Path, version: str, *, shifted: float = 0.0, labels=("dog", "cat")) -> Package:
    """Finds a dog in the middle of every photo, as surely as the photo is light.

    `shifted` moves its box to the right, by a share of the photo.
    """
    folder.mkdir(parents=True)
    box = np.array([[BOX[0] + shifted], [BOX[1]], [BOX[2]], [BOX[3]]], np.float32) * SIDE
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["light"], keepdims=0, axes=[1, 2, 3]),
        helper.make_node("Unsqueeze", ["light", "axes"], ["score"]),
        helper.make_node("Mul", ["score", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "box"], ["boxes"]),
        helper.make_node(
            "Concat", ["boxes", "score", *["nothing"] * (len(labels) - 1)], ["output0"], axis=1
        ),
    ]
    constants = {"axes": np.array([1, 2]), "zero": np.float32(0), "box": box[None]}
    write_model(folder / "detector.onnx", nodes, constants, ("n", 3, SIDE, SIDE), "output0")
    fields = {
        "schema": 1,
        "name": "things",
        "version": version,
        "task": "detection",
        "feature": "things",
        "summary": "Finds dogs, even where there are none.",
        "runtime": "onnxruntime",
        "artifacts": {"detector": {"path": "detector.onnx"}},
        "preprocessing": {
            "width": SIDE,
            "height": SIDE,
            "resize": "letterbox",
            "layout": "NCHW",
            "mean": [0, 0, 0],
            "std": [255, 255, 255],
        },
        "max_side": SIDE,
        "labels": [{"id": label, "name": label.capitalize()} for label in labels],
        "threshold_sets": {"even-v1": {"labels": {"*": {"present": 0.5, "absent": 0.5}}}},
        "default_threshold_set": "even-v1",
        "license": _LICENSE,
        "provenance": {"sources": ["nothing"], "command": "none"},
    }
    return complete(folder, fields, [ROOT / "tests/photos/cat.jpg"], load_detector)


def drawn_photos(folder: Path, count: int = 40) -> Path:
    """A folder in YOLO's form: light photos show a dog, dark ones nothing."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text("dog\ncat\n")
    for number, light in enumerate(np.linspace(0.1, 0.9, count)):
        pixels = np.full((SIDE, SIDE, 3), round(255 * light), np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{number:02}.png")
        if light > 0.4:
            line = " ".join(map(str, (0, *BOX)))
            (folder / "labels" / f"{number:02}.txt").write_text(f"{line}\n")
    return folder
