"""TensorFlow: hosts what was trained with Keras, without an export."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from services.runtimes import Array, RuntimeUnavailable


class TensorFlowNetwork:
    """A `.keras` file, or a SavedModel packed into a `.zip`, on the CPU.

    Inputs go by the names they were given in Keras, or in the SavedModel's serving signature. So do
    outputs; a `.keras` file names them after the layers they come from unless its outputs are a
    dictionary.
    """

    def __init__(self, path: Path, threads: int) -> None:
        try:
            import tensorflow
        except ImportError:
            raise RuntimeUnavailable(
                "the tensorflow runtime needs a package that is not installed here: "
                "pip install 'tensorflow-cpu>=2.19' 'keras>=3.10'"
            ) from None
        _limit(tensorflow, threads)
        self._tensor = tensorflow.constant
        if path.suffix == ".keras":
            self._call, self._inputs = _keras(tensorflow, path)
        elif path.suffix == ".zip":
            self._call, self._inputs = _saved_model(tensorflow, path)
        else:
            raise ValueError(f"{path}: the tensorflow runtime reads .keras and .zip files")

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Computes every output; the interpreter's lock is free during most of it."""
        given = {
            name: self._tensor(inputs[name], dtype=dtype) for name, dtype in self._inputs.items()
        }
        return {name: np.asarray(value) for name, value in self._call(given).items()}

    def close(self) -> None:
        """Gives the network's memory back."""
        del self._call


def _limit(tensorflow: Any, threads: int) -> None:
    """Sets the threads of the whole process: TensorFlow counts no other way, and only once."""
    threading = tensorflow.config.threading
    try:
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return  # another network is loaded already, with threads of its own choice


def _keras(tensorflow: Any, path: Path) -> tuple[Any, dict[str, Any]]:
    import keras

    network = keras.saving.load_model(path, compile=False, safe_mode=True)
    names = list(network.output_names)
    inputs = {tensor.name: tensor.dtype for tensor in network.inputs}

    @tensorflow.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def call(given: Mapping[str, Any]) -> dict[str, Any]:
        values = [given[name] for name in inputs]
        found = network(values[0] if len(values) == 1 else values, training=False)
        if isinstance(found, dict):
            return found
        return dict(zip(names, found if isinstance(found, list | tuple) else [found], strict=True))

    return call, inputs


def _saved_model(tensorflow: Any, path: Path) -> tuple[Any, dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(path) as packed:
            packed.extractall(folder)  # zipfile keeps members inside the folder
        signature = tensorflow.saved_model.load(folder).signatures["serving_default"]
    _, inputs = signature.structured_input_signature
    return lambda given: signature(**given), {name: tensor.dtype for name, tensor in inputs.items()}
