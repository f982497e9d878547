"""A hosted model from its package to ready, or not: what the log says, what callers get."""

import asyncio
import json
import logging
import shutil
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.compute import ComputePool
from chassis.decoder import decoder
from chassis.errors import NotReady
from chassis.images import Pixels
from chassis.server import serving
from services.app import ModelApp
from services.detector import __main__ as detector
from services.detector.model import load as load_detector
from services.detector.servicer import DetectorServicer
from services.hosting import Loader, ModelHost, ModelSettings
from services.manifest import Task
from services.packages import Package, write_manifest
from tests.fakes import FakeModel, write_package
from tests.harness import LOOPBACK, ROOT, a_call, a_photo, server_settings
from trilens.v1 import detector_pb2, detector_pb2_grpc, model_pb2, model_pb2_grpc

OBJECTS = ROOT / "models" / "objects" / "1.1.0"


class Loading:
    """A loader of fake models, which keeps the last one."""

    def __init__(self, **model: Any) -> None:
        self._arguments = model
        self.model: FakeModel | None = None
        self.asked: tuple[str | None, int] | None = None

    def __call__(self, package: Package, runtime: str | None, threads: int) -> FakeModel:
        self.asked = (runtime, threads)
        self.model = FakeModel(**self._arguments)
        self.model.package = package
        return self.model


@asynccontextmanager
async def hosting(
    folder: Path, load: Loader[Any], *, slots: int = 1, **settings: Any
) -> AsyncIterator[ModelHost[Any]]:
    pool = ComputePool(slots, lend_after=60)
    own = ModelSettings(model=str(folder), **settings)
    host: ModelHost[Any] = ModelHost(own, load, pool, Task.DETECTION)
    yield host
    await host.stop()
    pool.close()


def photo(number: int) -> Pixels:
    return Pixels(np.full((1, 1, 3), number, dtype=np.uint8))


async def test_a_sound_package_serves_until_it_is_stopped(folder: Path) -> None:
    load = Loading()
    async with hosting(folder, load) as host:
        with pytest.raises(NotReady, match="loading"):
            await host.predict(photo(1), a_call())

        assert await host.start()

        assert (await host.predict(photo(1), a_call())).prediction.boxes
        assert host.package.path == folder
        assert host.runtime == "onnxruntime"
        assert load.asked == (None, 1)
        assert load.model is not None
        assert not load.model.closed
        await host.stop()
        assert load.model.closed
        with pytest.raises(NotReady, match="closed"):
            await host.predict(photo(1), a_call())


async def test_the_operator_may_choose_another_runtime(folder: Path) -> None:
    load = Loading()
    async with hosting(folder, load, runtime="tensorflow") as host:
        assert await host.start()

        assert host.runtime == "tensorflow"
        assert load.asked == ("tensorflow", 1)


async def test_a_threshold_set_that_does_not_fit_keeps_the_model_from_serving(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = folder.parent / "mine.json"
    file.write_text('{"id": "mine-v1", "model": "objects", "labels": {"cow": {"present": 1}}}')
    load = Loading()
    async with hosting(folder, load, threshold_files=(file,)) as host:
        assert not await host.start()

        assert load.model is None
        assert f"{folder} does not become ready: {file}: labels.cow.absent: Field" in caplog.text
        with pytest.raises(NotReady, match="could not be loaded"):
            await host.predict(photo(1), a_call())


async def test_the_event_loop_turns_while_the_model_loads(folder: Path) -> None:
    gate = threading.Event()
    async with hosting(folder, Loading(gate=gate)) as host:
        starting = asyncio.create_task(host.start())
        for _ in range(3):
            await asyncio.sleep(0)
        assert not starting.done()
        gate.set()

        assert await starting


async def test_no_batch_is_larger_than_the_package_was_warmed_for(tmp_path: Path) -> None:
    folder = write_package(tmp_path / "small", batch_sizes=[1, 2])
    load = Loading()
    async with hosting(folder, load, max_batch=8) as host:
        assert await host.start()
        assert load.model is not None
        load.model.batches.clear()

        await asyncio.gather(*(host.predict(photo(number), a_call()) for number in range(5)))

        assert [len(batch) for batch in load.model.batches] == [1, 2, 2]


async def test_a_model_whose_batch_hangs_is_left_to_the_process(folder: Path) -> None:
    gate = threading.Event()
    load = Loading()
    async with hosting(folder, load) as host:
        assert await host.start()
        assert load.model is not None
        load.model._gate = gate
        load.model.began.clear()
        stuck = asyncio.create_task(host.predict(photo(1), a_call()))
        assert await asyncio.to_thread(load.model.began.wait, 5)
        stuck.cancel()

        await host.stop()

        assert not load.model.closed
        gate.set()


def wrong_answer(folder: Path) -> str:
    edit_expectation(folder, lambda boxes: boxes[0].update(score=0.5))
    return "photo.png: in a batch of 1: prediction.boxes[0].score is 0.9, not 0.5"


def changed_file(folder: Path) -> str:
    (folder / "network.onnx").write_bytes(b"other")
    return "network.onnx: SHA-256 is"


def no_package(folder: Path) -> str:
    shutil.rmtree(folder)
    return "manifest.json: No such file or directory"


def another_task(folder: Path) -> str:
    shutil.rmtree(folder)
    write_package(folder, "caption")
    return "a caption model, where this service hosts detection models"


def edit_expectation(folder: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    path = folder / "golden" / "expected.json"
    expected = json.loads(path.read_text())
    change(expected["boxes"])
    path.write_text(json.dumps(expected))
    write_manifest(folder, json.loads((folder / "manifest.json").read_text()))


DAMAGES: Sequence[Callable[[Path], str]] = (wrong_answer, changed_file, no_package, another_task)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
async def test_a_package_that_must_not_serve_is_live_not_ready_and_the_log_says_exactly_why(
    damage: Callable[[Path], str],
    folder: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reason = damage(folder)
    load = Loading()
    logged = asyncio.Event()
    monkeypatch.setattr(caplog.handler, "emit", telling(caplog.handler.emit, logged))
    async with hosting(folder, load) as host:
        pool = ComputePool(1, 60)
        app = ModelApp(detector.KIND, host, DetectorServicer(host, decoder(pool)), pool)
        async with (
            serving(server_settings(), app) as ports,
            grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.grpc}") as channel,
        ):
            await asyncio.wait_for(logged.wait(), 10)
            assert await status(channel, "live") == "SERVING"
            assert await status(channel, "ready") == "NOT_SERVING"
            detect = detector_pb2_grpc.DetectorServiceStub(channel).DetectObjects
            describe = model_pb2_grpc.ModelServiceStub(channel).GetModel
            for asked in (
                detect(detector_pb2.DetectObjectsRequest(image=a_photo()), timeout=5),
                describe(model_pb2.GetModelRequest(), timeout=5),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as refusal:
                    await asked
                assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE
                assert refusal.value.details() == "the model could not be loaded"

    (line,) = (one for one in caplog.messages if "does not become ready" in one)
    assert line.startswith(f"{folder} does not become ready: ")
    assert reason in line
    assert load.model is None or load.model.closed


def telling(
    emit: Callable[[logging.LogRecord], None], logged: asyncio.Event
) -> Callable[[logging.LogRecord], None]:
    """The same, and an event once the log says that something does not become ready."""

    def listen(record: logging.LogRecord) -> None:
        emit(record)
        if "does not become ready" in record.getMessage():
            logged.set()

    return listen


async def status(channel: grpc.aio.Channel, name: str) -> str:
    answer = await health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service=name), timeout=5
    )
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def test_a_package_of_another_version_than_the_release_names_is_refused(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with hosting(folder, Loading(), model_version="9.9.9") as host:
        assert not await host.start()

    assert f"{folder}: version 1.2.3, where the release names 9.9.9" in caplog.text
    async with hosting(folder, Loading(), model_version="1.2.3") as host:
        assert await host.start()


async def test_an_unforeseen_error_of_a_loader_is_logged_with_its_traceback(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def load(*_: Any) -> FakeModel:
        raise ZeroDivisionError("in the loader")

    async with hosting(folder, load) as host:
        assert not await host.start()

    assert "Traceback" in caplog.text
    assert "does not become ready: ZeroDivisionError('in the loader')" in caplog.text


async def test_a_network_that_is_none_is_refused(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fields = json.loads((folder / "manifest.json").read_text())
    write_manifest(folder, fields | {"artifacts": {"detector": {"path": "network.onnx"}}})
    async with hosting(folder, load_detector) as host:
        assert not await host.start()

    assert f"{folder}/network.onnx: onnxruntime cannot load it: " in caplog.text


async def test_a_runtime_that_is_not_installed_is_named(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    async with hosting(OBJECTS, load_detector, runtime="tensorflow") as host:
        assert not await host.start()

    assert "the tensorflow runtime needs a package that is not installed here" in caplog.text


async def test_a_real_package_whose_golden_values_are_not_its_models_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "objects"
    shutil.copytree(OBJECTS, folder)
    case = sorted((folder / "golden").glob("*.json"))[0]
    expected = json.loads(case.read_text())
    expected["boxes"][0]["score"] -= 0.01
    case.write_text(json.dumps(expected))
    write_manifest(folder, json.loads((folder / "manifest.json").read_text()))

    async with hosting(folder, load_detector) as host:
        assert not await host.start()

    assert "prediction.boxes[0].score is 0." in caplog.text
