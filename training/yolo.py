"""Ultralytics detection networks: where they come from, and how they become ONNX files."""

from __future__ import annotations

import datetime
import io
import shutil
from pathlib import Path

import onnx
import torch
from safetensors.torch import load_file
from torch import nn
from ultralytics.nn.tasks import DetectionModel

from services.detector.model import ARTIFACT
from services.packages import Package, open_package, write_manifest
from services.runtimes.ultralytics import for_inference, read_checkpoint
from training.onnx_weights import store_in_half, weights_of

# The names that Ultralytics' own exporter gives, so that its files and ours are read alike.
INPUT, OUTPUT = "images", "output0"
OPSET = 18


def from_reference(weights: Path, labels: tuple[str, ...]) -> DetectionModel:
    """YOLOv8n with the weights of a safetensors file whose batch norms are folded.

    The file's variances are 1 - eps rounded to 16 bits; here they are made exact, so that fusing
    leaves every convolution as it was stored.
    """
    network = _named("yolov8n.yaml", labels)
    network.load_state_dict({name: values.float() for name, values in load_file(weights).items()})
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.fill_(1 - module.eps)
    return network


def from_onnx(path: Path, labels: tuple[str, ...], architecture: str = "yolov8n.yaml") -> nn.Module:
    """The network behind an ONNX file that `to_onnx` wrote, with the weights of that file.

    Raises ValueError if `architecture` is not what was exported.
    """
    network = for_inference(_named(architecture, labels))
    stored = weights_of(onnx.load(path))
    wanted = network.state_dict()
    if missing := [name for name in wanted if name not in stored]:
        raise ValueError(f"{path} is no {architecture}: it has no weights named {missing[:3]}")
    network.load_state_dict({name: torch.from_numpy(stored[name]) for name in wanted})
    return network


def export(weights: Path, side: int, path: Path) -> None:
    """Writes the ONNX file of an Ultralytics checkpoint; raises what `read_checkpoint` raises."""
    network = read_checkpoint(weights)
    to_onnx(network, side, path, tuple(network.names.values()))


def to_pt(network: nn.Module, path: Path) -> None:
    """Writes a checkpoint as Ultralytics does, in 16 bits: `YOLO(path)` loads it."""
    when = datetime.datetime.now(tz=datetime.UTC).isoformat()
    torch.save({"model": network.half(), "ema": None, "train_args": {}, "date": when}, path)
    network.float()


def to_onnx(network: nn.Module, side: int, path: Path, labels: tuple[str, ...]) -> None:
    """Writes `network` for square photos of `side` pixels and any batch size, weights in 16 bits.

    Input `images`: float32 (batch, 3, side, side), RGB in [0, 1]. Output `output0`: float32
    (batch, 4 + labels, anchors): centre, width and height in pixels, then a score per label. The
    file says its labels as those of Ultralytics' own exporter do.
    """
    network = for_inference(network)
    example = torch.zeros(1, 3, side, side)
    with torch.no_grad():
        answer = network(example)
    buffer = io.BytesIO()
    torch.onnx.export(
        network,
        (example,),
        buffer,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
        opset_version=OPSET,
        dynamo=False,  # keeps the modules' names on the weights: from_onnx reads them back
    )
    model = onnx.load_model_from_string(buffer.getvalue())
    for axis, size in enumerate(answer.shape[1:], start=1):
        model.graph.output[0].type.tensor_type.shape.dim[axis].dim_value = size
    metadata = {"task": "detect", "names": repr(dict(enumerate(labels)))}
    onnx.helper.set_model_props(model, metadata)
    onnx.save(store_in_half(model), path)


def hosted(package: Package, folder: Path) -> Package:
    """A detection package's weights as a `.pt` for the ultralytics runtime, in a new folder."""
    manifest = package.manifest
    shutil.copytree(package.path, folder)
    network = from_onnx(package.file(ARTIFACT), tuple(label.name for label in manifest.labels))
    to_pt(network, folder / "detector.pt")
    fields = manifest.model_dump(mode="json", by_alias=True)
    artifacts = {ARTIFACT: {"path": "detector.pt"}}
    write_manifest(folder, fields | {"runtime": "ultralytics", "artifacts": artifacts})
    return open_package(folder)


def _named(architecture: str, labels: tuple[str, ...]) -> DetectionModel:
    network = DetectionModel(architecture, nc=len(labels), verbose=False)
    network.names = dict(enumerate(labels))
    return network
