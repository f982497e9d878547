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

_COCO = tuple(map(str, range(80)))  # as many labels as the pretrained networks have
_UNSURE = -4.6  # logit of 0.01: how surely a label is seen that the network does not know yet


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
    if missing := [name for name in network.state_dict() if name not in stored]:
        raise ValueError(f"{path} is no {architecture}: it has no weights named {missing[:3]}")
    if any(stored[name].shape != one.shape for name, one in network.state_dict().items()):
        # Fine-tuned from COCO's labels to others: the layers before the last kept their widths.
        network = with_labels(for_inference(_named(architecture, _COCO)), (), labels)
    wanted = network.state_dict()
    network.load_state_dict({name: torch.from_numpy(stored[name]) for name in wanted})
    return network


def with_labels(network: nn.Module, known: tuple[str, ...], wanted: tuple[str, ...]) -> nn.Module:
    """The network with a score for each of `wanted`; labels that it knew keep their weights."""
    places = {name.lower(): place for place, name in enumerate(known)}
    head = network.model[-1]
    for branch in head.cv3:
        old = branch[-1]
        branch[-1] = new = nn.Conv2d(old.in_channels, len(wanted), 1)
        with torch.no_grad():
            new.bias.fill_(_UNSURE)
            for place, name in enumerate(wanted):
                if (before := places.get(name.lower())) is not None:
                    new.weight[place] = old.weight[before]
                    new.bias[place] = old.bias[before]
    head.nc = len(wanted)
    head.no = head.nc + 4 * head.reg_max
    network.nc, network.names = head.nc, dict(enumerate(wanted))
    return network


def export(weights: Path, path: Path) -> None:
    """Writes the ONNX file of an Ultralytics checkpoint; raises what `read_checkpoint` raises."""
    network = read_checkpoint(weights)
    to_onnx(network, path, tuple(network.names.values()))


def to_pt(network: nn.Module, path: Path) -> None:
    """Writes a checkpoint as Ultralytics does, in 16 bits: `YOLO(path)` loads it."""
    when = datetime.datetime.now(tz=datetime.UTC).isoformat()
    torch.save({"model": network.half(), "ema": None, "train_args": {}, "date": when}, path)
    network.float()


def to_onnx(network: nn.Module, path: Path, labels: tuple[str, ...]) -> None:
    """Writes `network` for photos of any shape and number, weights in 16 bits.

    Input `images`: float32 (batch, 3, height, width), RGB in [0, 1], sides that the network's
    largest stride divides. Output `output0`: float32 (batch, 4 + labels, anchors): centre, width
    and height in pixels, then a score per label. The file says its labels as those of Ultralytics'
    own exporter do.
    """
    network = for_inference(network)
    network.model[-1].dynamic = True  # else it writes down the grid of the example's shape
    example = torch.zeros(1, 3, 320, 640)
    buffer = io.BytesIO()
    torch.onnx.export(
        network,
        (example,),
        buffer,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_axes={
            INPUT: {0: "batch", 2: "height", 3: "width"},
            OUTPUT: {0: "batch", 2: "anchors"},
        },
        opset_version=OPSET,
        dynamo=False,  # keeps the modules' names on the weights: from_onnx reads them back
    )
    model = onnx.load_model_from_string(buffer.getvalue())
    rows = model.graph.output[0].type.tensor_type.shape.dim[1]
    rows.dim_value = 4 + len(labels)
    stride = str(int(network.stride.max()))
    metadata = {"task": "detect", "names": repr(dict(enumerate(labels))), "stride": stride}
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
