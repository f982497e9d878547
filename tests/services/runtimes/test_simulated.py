"""The simulated accelerator: it takes its time, one batch after another, and fails with its GPU."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from local.cluster import gpus
from services.runtimes import DeviceFailed, Network, open_network
from services.runtimes.simulated import BASE, EACH


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this machine's GPUs; gpu-1 is this process's."""
    gpus.make(tmp_path / "gpus")
    monkeypatch.setenv("SIMULATED_GPUS", str(tmp_path / "gpus"))
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", "gpu-1")
    return tmp_path / "gpus"


def network(folder: Path, base: float = 0, each: float = 0) -> Network:
    """One that doubles what it is given."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])], "doubling", values[:1], values[1:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {BASE: str(base), EACH: str(each)})
    onnx.save(model, folder / "network.onnx")
    return open_network("simulated", folder / "network.onnx", threads=1)


def rows(count: int) -> dict[str, np.ndarray]:
    return {"x": np.ones((count, 3), np.float32)}


def test_the_values_are_the_networks_own(tmp_path: Path) -> None:
    assert network(tmp_path).run(rows(2))["y"].tolist() == [[2, 2, 2], [2, 2, 2]]


def test_a_batch_takes_a_base_and_a_time_for_each(tmp_path: Path) -> None:
    simulated = network(tmp_path, base=0.1, each=0.05)
    began = time.monotonic()

    simulated.run(rows(4))

    assert 0.3 <= time.monotonic() - began < 3


def test_batches_wait_for_each_other(tmp_path: Path) -> None:
    simulated = network(tmp_path, base=0.1)
    began = time.monotonic()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: simulated.run(rows(1)), range(4)))

    assert time.monotonic() - began >= 0.4


def test_it_fails_while_its_gpu_does_and_names_it(tmp_path: Path, gpu: Path) -> None:
    simulated = network(tmp_path)
    gpus.set_health(gpu, "gpu-0", gpus.LOST)  # somebody else's
    simulated.run(rows(1))

    gpus.set_health(gpu, "gpu-1", gpus.LOST)

    with pytest.raises(DeviceFailed, match="gpu-1 is lost"):
        simulated.run(rows(1))


def test_it_does_not_load_onto_a_lost_gpu(tmp_path: Path, gpu: Path) -> None:
    gpus.set_health(gpu, "gpu-1", gpus.LOST)

    with pytest.raises(DeviceFailed, match="gpu-1 is lost"):
        network(tmp_path)


def test_a_gpu_that_is_not_there_is_a_failed_one(
    tmp_path: Path, gpu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", "gpu-7")

    with pytest.raises(DeviceFailed, match="gpu-7/health: No such file"):
        network(tmp_path)
