"""Simulated accelerator: for tests of scheduling, scaling and failing GPUs where there are none.

The values are those of ONNX Runtime on the CPU; the time is the accelerator's, and so is the fate:
it fails when the simulated GPU that the kubelet gave to this container does.
"""

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from services.runtimes import Array, DeviceFailed
from services.runtimes.onnx import OnnxNetwork

# Keys of an ONNX file's metadata: a run of n takes BASE + n * EACH seconds.
BASE: Final = "simulated.base_seconds"
EACH: Final = "simulated.seconds_each"

_GPUS: Final = "NVIDIA_VISIBLE_DEVICES"  # their names, where real ones have them, too
_FOLDER: Final = "SIMULATED_GPUS"  # a variable, for processes outside containers
_USUAL_FOLDER: Final = "/run/simulated-gpus"
_HEALTHY: Final = "healthy"

_one_at_a_time: Final = threading.Lock()


class SimulatedNetwork:
    """An ONNX file on a simulated GPU, or on none: then nothing fails, and time passes alike."""

    def __init__(self, path: Path, threads: int) -> None:
        folder = Path(os.environ.get(_FOLDER, _USUAL_FOLDER))
        names = os.environ.get(_GPUS, "").split(",")
        self._gpus = {name: folder / name / "health" for name in names if name}
        self._check()
        self._network = OnnxNetwork(path, threads)
        self._base = float(self._network.metadata.get(BASE, 0))
        self._each = float(self._network.metadata.get(EACH, 0))

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Computes every output, one batch after another."""
        batch = len(next(iter(inputs.values())))
        with _one_at_a_time:
            until = time.monotonic() + self._base + batch * self._each
            self._check()
            outputs = self._network.run(inputs)
            time.sleep(max(0.0, until - time.monotonic()))
            self._check()
        return outputs

    def close(self) -> None:
        """Gives the session's memory back."""
        self._network.close()

    def _check(self) -> None:
        for name, file in self._gpus.items():
            try:
                health = file.read_text().strip()
            except OSError as error:
                raise DeviceFailed(f"{name}: {file}: {error.strerror}") from None
            if health != _HEALTHY:
                raise DeviceFailed(f"{name} is {health}")
