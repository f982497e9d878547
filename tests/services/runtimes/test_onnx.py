"""ONNX Runtime as a runtime: names in, names out, from many threads."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from services.runtimes import open_network
from services.runtimes.onnx import device_failure
from tests.harness import ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A network with two inputs, any number of rows: `sum` and `difference`."""
    shapes = [("a", "sum"), ("b", "difference")]
    rows = ["rows", 3]
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["a", "b"], ["sum"]),
            helper.make_node("Sub", ["a", "b"], ["difference"]),
        ],
        "two",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, rows) for name, _ in shapes],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, rows) for _, name in shapes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    file = tmp_path / "network.onnx"
    onnx.save(model, file)
    return file


def rows(value: float, count: int = 2) -> np.ndarray:
    return np.full((count, 3), value, dtype=np.float32)


def test_every_output_comes_back_by_its_name(path: Path) -> None:
    network = open_network("onnxruntime", path, threads=1)

    outputs = network.run({"b": rows(1), "a": rows(3)})

    assert outputs.keys() == {"sum", "difference"}
    np.testing.assert_array_equal(outputs["sum"], rows(4))
    np.testing.assert_array_equal(outputs["difference"], rows(2))
    network.close()


def test_threads_run_it_at_once_without_mixing_their_answers(path: Path) -> None:
    network = open_network("onnxruntime", path, threads=1)
    start = threading.Barrier(4)

    def ask(number: int) -> bool:
        start.wait(10)
        return all(
            (network.run({"a": rows(number, n), "b": rows(1, n)})["sum"] == number + 1).all()
            for n in range(1, 50)
        )

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(ask, range(4)))
    network.close()


def test_it_runs_nothing_after_it_was_closed(path: Path) -> None:
    network = open_network("onnxruntime", path, threads=1)
    network.close()

    with pytest.raises(AttributeError):
        network.run({"a": rows(1), "b": rows(1)})


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "network.onnx"
    file.write_bytes(b"not a network")

    with pytest.raises(Exception, match=r"network\.onnx"):
        open_network("onnxruntime", file, threads=1)


def test_a_runtime_nobody_knows_is_refused_with_those_there_are(path: Path) -> None:
    with pytest.raises(ValueError, match="tensorflow, ultralytics, simulated, not 'magic"):
        open_network("magic", path, threads=1)


@pytest.mark.stack
def test_nothing_is_reported_to_anybody(path: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    code = f"from services.runtimes.onnx import OnnxNetwork; OnnxNetwork({str(path)!r}, 1)"

    # ONNX Runtime prepares its reports in there.
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": ""}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=60)

    assert list(home.rglob("*")) == []


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        (
            "Non-zero status code returned while running Conv node. CUDA failure 719: unspecified "
            "launch failure ; GPU=0 ; hostname=node-7 ; file=/src/cuda_call.cc ; line=129 ; expr=x",
            "CUDA failure 719: unspecified launch failure",
        ),
        (
            "CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED ; GPU=0 ; hostname=node-7",
            "CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED",
        ),
        ("CUDA failure 2: out of memory ; GPU=0 ; hostname=node-7", ""),
        ("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions", ""),
    ],
)
def test_a_failure_of_the_device_is_told_from_those_of_a_batch(text: str, failure: str) -> None:
    assert device_failure(text) == failure
