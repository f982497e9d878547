"""Runtimes run a network: named arrays in, named arrays out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, get_args

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

RuntimeName: TypeAlias = Literal["onnxruntime", "tensorflow", "ultralytics", "simulated"]


class RuntimeUnavailable(Exception):
    """A runtime whose library is not installed here; the text says how to get it."""


class DeviceFailed(Exception):
    """The accelerator failed, not the photos: the same batch would do elsewhere."""


class Network(Protocol):
    """A loaded network; several threads may run it at once."""

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Computes every output from all inputs, each by its name in the network's file.

        Raises DeviceFailed.
        """

    def close(self) -> None:
        """Gives its memory back."""


def open_network(runtime: str, path: Path, threads: int) -> Network:
    """Loads a network's file with the runtime named, to compute with that many threads a run."""
    # Imported only when asked for: a serving image holds one of them.
    if runtime == "onnxruntime":
        from services.runtimes.onnx import OnnxNetwork

        return OnnxNetwork(path, threads)
    if runtime == "tensorflow":
        from services.runtimes.tensorflow import TensorFlowNetwork

        return TensorFlowNetwork(path, threads)
    if runtime == "ultralytics":
        from services.runtimes.ultralytics import UltralyticsNetwork

        return UltralyticsNetwork(path, threads)
    if runtime == "simulated":
        from services.runtimes.simulated import SimulatedNetwork

        return SimulatedNetwork(path, threads)
    raise ValueError(f"runtime must be one of {', '.join(get_args(RuntimeName))}, not {runtime!r}")
