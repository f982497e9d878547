"""Ultralytics: hosts a detector's `.pt` as it was trained, without an export.

The library is licensed under AGPL-3.0 and is imported nowhere else in the serving code; without it
everything but this runtime works.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.runtimes import Array, RuntimeUnavailable


class UltralyticsNetwork:
    """A detection checkpoint, answering with the array that its ONNX export would give.

    One input of any name, float32 (batch, 3, height, width); one output, `output0`, float32
    (batch, 4 + labels, anchors): boxes before suppression.
    """

    def __init__(self, path: Path, threads: int) -> None:
        network = for_inference(read_checkpoint(path))
        import torch

        torch.set_num_threads(threads)  # for the whole process: torch counts no other way
        self._torch = torch
        self._network = network
        self._own = threading.local()

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Computes the boxes; the interpreter's lock is free during most of it."""
        (images,) = inputs.values()
        with self._torch.inference_mode():
            return {"output0": self._of_thread()(self._torch.from_numpy(images)).numpy()}

    def close(self) -> None:
        """Gives the network's memory back."""
        del self._network, self._own

    def _of_thread(self) -> Any:
        """This thread's copy, which shares the weights with all others.

        A head keeps the grid of the last shape that it saw: photos of two shapes at once would mix.
        """
        network = getattr(self._own, "network", None)
        if network is None:
            weights = (*self._network.parameters(), *self._network.buffers())
            network = copy.deepcopy(self._network, {id(one): one for one in weights})
            self._own.network = network
        return network


def read_checkpoint(path: Path) -> Any:
    """The DetectionModel of an Ultralytics checkpoint, in float32.

    Only classes of torch and Ultralytics are rebuilt; no other code that a file names is run.
    Raises RuntimeUnavailable if the library is missing, ValueError if the file is no detector's.
    """
    if path.suffix != ".pt":
        raise ValueError(f"{path}: the ultralytics runtime reads .pt files")
    try:
        from ultralytics.nn.tasks import DetectionModel, torch_safe_load
    except ImportError:
        raise RuntimeUnavailable(
            "the ultralytics runtime needs a package that is not installed here: "
            "pip install 'ultralytics>=8.4.190' (AGPL-3.0)"
        ) from None
    try:
        checkpoint, _ = torch_safe_load(str(path), safe_only=True)
    except TypeError as refusal:  # what it raises for a damaged file and for a class it bars
        raise ValueError(f"{path}: {refusal}") from refusal
    network = checkpoint.get("ema") or checkpoint.get("model")
    if type(network) is not DetectionModel:
        raise ValueError(f"{path} holds a {type(network).__name__}, not a DetectionModel")
    return network.float()


def for_inference(network: Any) -> Any:
    """The network as it is exported: batch norms folded, one tensor out, boxes unsuppressed.

    Networks that suppress by themselves (YOLOv10, YOLO26) are switched back to all their boxes.
    """
    head = network.model[-1]
    if getattr(head, "end2end", False):
        head.end2end = False
    network = network.eval().fuse(verbose=False)
    head.export, head.format = True, "onnx"
    return network.requires_grad_(requires_grad=False)
