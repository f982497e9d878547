"""Leaving, with real processes: what was begun is answered, and the exit code is 0."""

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.harness import LOOPBACK, ROOT, a_photo
from tests.stack.servers import GRACE_SECONDS, PATIENCE_SECONDS, child
from trilens.v1 import analysis_pb2, analysis_pb2_grpc, detector_pb2, detector_pb2_grpc

pytestmark = pytest.mark.stack

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
PROMPT_SECONDS = 10  # for what takes well under one on a quiet machine, and never the whole grace
OBJECTS = str(ROOT / "models" / "objects" / "1.1.0")
HOSTED = json.dumps({"objects": {"task": "detection", "model": OBJECTS}})
# Models whose calls never return: one waits, one is deep in its network all the time.
WAITS = """
import threading
from chassis.server import run
from chassis.settings import ServerSettings
from tests.fakes import FakeModel
from tests.harness import model_app
run(ServerSettings(), model_app(FakeModel(gate=threading.Event())))
"""
COMPUTES = f"""
import numpy as np
from chassis.server import run
from chassis.settings import ServerSettings
from services.packages import open_package
from tests.fakes import FakeModel
from tests.harness import model_app
network = open_package({OBJECTS!r}).network("detector")
photos = np.zeros((4, 3, 512, 512), np.float32)
class Busy(FakeModel):
    def predict(self, batch):
        while True:
            network.run({{"images": photos}})
run(ServerSettings(), model_app(Busy()))
"""

Analysis = Callable[[grpc.aio.Channel], Awaitable[Any]]


async def detect(channel: grpc.aio.Channel) -> None:
    """One call to the detector, answered."""
    request = detector_pb2.DetectObjectsRequest(image=a_photo())
    stub = detector_pb2_grpc.DetectorServiceStub(channel)
    answer = await stub.DetectObjects(request, timeout=PATIENCE_SECONDS)
    assert answer.detection.objects


async def analyze(channel: grpc.aio.Channel) -> None:
    """One call to the gateway, answered in full."""
    request = analysis_pb2.AnalyzeImageRequest(image=a_photo())
    stub = analysis_pb2_grpc.ImageAnalysisServiceStub(channel)
    answer = await stub.AnalyzeImage(request, timeout=PATIENCE_SECONDS)
    assert answer.completeness == analysis_pb2.COMPLETENESS_FULL


SERVERS = pytest.mark.parametrize(
    ("module", "call", "settings"),
    [
        ("services.detector", detect, {"MODEL": OBJECTS}),
        ("gateway", analyze, {"FEATURES": HOSTED, "MAX_DEADLINE": PATIENCE_SECONDS}),
    ],
    ids=["detector", "gateway"],
)


async def status(channel: grpc.aio.Channel, name: str) -> int:
    request = health_pb2.HealthCheckRequest(service=name)
    return int((await health_pb2_grpc.HealthStub(channel).Check(request, timeout=5)).status)


@SERVERS
async def test_told_to_stop_under_load_a_server_answers_every_call_that_was_begun(
    module: str, call: Analysis, settings: dict[str, Any], tmp_path: Path
) -> None:
    async with (
        child(tmp_path, "-m", module, THREADS=1, DRAIN_DELAY=0.5, **settings) as server,
        grpc.aio.insecure_channel(await server.address()) as channel,
        grpc.aio.insecure_channel(await server.address("health")) as probes,
    ):
        await server.ready()
        stop = asyncio.Event()
        answered = 0

        async def caller() -> None:
            """Calls on and on, as long as the server asks for work."""
            nonlocal answered
            while not stop.is_set():
                await call(channel)
                answered += 1
                if answered == 4:
                    server.told()

        async def balancer() -> list[int]:
            """Sends no more work once the server says so, and meets a second signal halfway."""
            told = []
            request = health_pb2.HealthCheckRequest(service="ready")
            async for answer in health_pb2_grpc.HealthStub(channel).Watch(request):
                told.append(answer.status)
                if answer.status == NOT_SERVING:
                    stop.set()
                    assert await status(probes, "live") == SERVING
                    assert await status(probes, "ready") == NOT_SERVING
                    server.told()
            return told

        began = time.monotonic()
        told, *_ = await asyncio.gather(balancer(), *(caller() for _ in range(6)))

        assert told == [SERVING, NOT_SERVING]
        assert answered >= 4
        assert await server.ended() == 0
        assert time.monotonic() - began < GRACE_SECONDS  # the Watch held nothing up
    assert [line for line in server.log if "draining" in line or "stopped" in line] != []
    assert not [line for line in server.log if "Traceback" in line or '"error"' in line]


@SERVERS
async def test_what_is_in_flight_and_queued_is_finished_though_no_delay_was_set(
    module: str, call: Analysis, settings: dict[str, Any], tmp_path: Path
) -> None:
    async with (
        child(tmp_path, "-m", module, THREADS=1, **settings) as server,
        grpc.aio.insecure_channel(await server.address()) as channel,
    ):
        await server.ready()
        calls = [asyncio.create_task(call(channel)) for _ in range(12)]
        waiting = asyncio.as_completed(calls)
        for _ in range(4):
            await next(waiting)
        server.told()

        await asyncio.gather(*calls)

        assert await server.ended() == 0


async def test_told_to_stop_while_its_model_loads_a_server_leaves_at_once(tmp_path: Path) -> None:
    async with child(tmp_path, "-m", "services.detector", MODEL=OBJECTS) as server:
        await server.says("listens on")
        began = time.monotonic()
        server.told(signal.SIGINT)

        assert await server.ended() == 0
        assert time.monotonic() - began < PROMPT_SECONDS


async def test_a_load_that_never_ends_keeps_no_server_from_leaving(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    os.mkfifo(package / "manifest.json")  # reading it waits for a writer that never comes
    async with child(tmp_path, "-m", "services.detector", MODEL=package) as server:
        async with grpc.aio.insecure_channel(await server.address("health")) as probes:
            assert await status(probes, "live") == SERVING
            assert await status(probes, "ready") == NOT_SERVING
        server.told()

        assert await server.ended() == 0


@pytest.mark.parametrize("ends", [True, False], ids=["told to end", "as by default"])
async def test_a_server_with_nothing_to_serve_ends_where_its_end_is_shown(
    ends: bool, tmp_path: Path
) -> None:
    nowhere = tmp_path / "nowhere"
    settings = {"MODEL": nowhere, "EXIT_UNSTARTED": ends}
    async with child(tmp_path, "-m", "services.detector", **settings) as server:
        await server.says(f"{nowhere} does not become ready: {nowhere}/manifest.json: No such")
        if ends:
            assert await server.ended() == 1
            assert "detector cannot start: it does not become ready" in server.log[-1]
        else:
            async with grpc.aio.insecure_channel(await server.address("health")) as probes:
                assert await status(probes, "live") == SERVING
                assert await status(probes, "ready") == NOT_SERVING


@pytest.mark.parametrize("model", [WAITS, COMPUTES], ids=["waits", "computes"])
async def test_a_model_call_that_never_returns_costs_the_grace_and_no_more(
    model: str, tmp_path: Path
) -> None:
    async with (
        child(tmp_path, "-c", model, GRACE=0.2) as server,
        grpc.aio.insecure_channel(await server.address()) as channel,
    ):
        await server.ready()
        call = asyncio.create_task(detect(channel))
        await server.says("runs long")
        server.told()

        with pytest.raises(grpc.aio.AioRpcError):
            await call
        assert await server.ended() == 0


async def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        async with child(tmp_path, "-m", "services.detector", PORT=port) as server:
            assert await server.ended() == 1

    (line,) = server.log
    assert json.loads(line)["message"] == (
        f"detector cannot start: cannot listen on 127.0.0.1:{port}: Address already in use"
    )


async def test_settings_that_cannot_be_are_all_told_at_once(tmp_path: Path) -> None:
    wrong = {"PORT": "many", "GRACE": "-1", "FEATURES": "{", "MAX_QUEUE": "0"}
    async with child(tmp_path, "-m", "gateway", **wrong) as server:
        assert await server.ended() == 2

    assert [line.partition(":")[0] for line in server.log] == [
        "TRILENS_PORT",
        "TRILENS_GRACE",
        "TRILENS_FEATURES",
        "TRILENS_MAX_QUEUE",
    ]
