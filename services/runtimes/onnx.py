"""ONNX Runtime: the default for serving."""

from collections.abc import Mapping
from pathlib import Path

import onnxruntime as ort

from services.runtimes import Array


class OnnxNetwork:
    """An ONNX file in an inference session on the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        # A thread that spins while it waits takes the core from the process that has work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = ort.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._outputs = tuple(output.name for output in self._session.get_outputs())

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file's maker wrote into it besides."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Computes every output; the interpreter's lock is free meanwhile."""
        values = self._session.run(self._outputs, dict(inputs))
        return dict(zip(self._outputs, values, strict=True))

    def close(self) -> None:
        """Gives the session's memory back."""
        del self._session
