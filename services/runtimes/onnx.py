"""ONNX Runtime: the default for serving, on the CPU or, where it was built for that, on CUDA."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import onnxruntime as ort

from services.runtimes import Array, DeviceFailed, RuntimeUnavailable

_CUDA: Final = "CUDAExecutionProvider"
_CPU: Final = "CPUExecutionProvider"
# TF32 rounds to 10 bits: answers would leave what the package's self-test allows.
_ON_CUDA: Final = ((_CUDA, {"use_tf32": "0"}), _CPU)
# How ONNX Runtime tells what CUDA and its libraries told it.
_FAILURE: Final = re.compile(r"(CUDA|CUDNN|CUBLAS) failure (\d+): ([^;\n]*[^;\s])")
_OUT_OF_MEMORY: Final = ("CUDA", "2")  # the batch may have been too large: no fault of the device


class OnnxNetwork:
    """An ONNX file in an inference session."""

    def __init__(self, path: Path, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        # A thread that spins while it waits takes the core from the process that has work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = _session(path, options)
        self._outputs = tuple(output.name for output in self._session.get_outputs())

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file's maker wrote into it besides."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Computes every output; the interpreter's lock is free meanwhile."""
        try:
            values = self._session.run(self._outputs, dict(inputs))
        except Exception as error:
            if failure := device_failure(str(error)):
                raise DeviceFailed(failure) from error
            raise
        return dict(zip(self._outputs, values, strict=True))

    def close(self) -> None:
        """Gives the session's memory back."""
        del self._session


def device_failure(text: str) -> str:
    """What of an error's text is the device's failure; "" if the error is another one."""
    found = _FAILURE.search(text)
    return found[0] if found and (found[1], found[2]) != _OUT_OF_MEMORY else ""


def _session(path: Path, options: Any) -> Any:
    if _CUDA not in ort.get_available_providers():
        return ort.InferenceSession(str(path), options, providers=[_CPU])
    ort.preload_dlls()
    session = ort.InferenceSession(str(path), options, providers=_ON_CUDA)
    if _CUDA not in session.get_providers():  # it goes on without, and only slower
        raise RuntimeUnavailable(
            "this ONNX Runtime is the one for CUDA, which cannot be used here: this container was "
            "given no GPU, or the driver is too old for its CUDA"
        )
    return session
