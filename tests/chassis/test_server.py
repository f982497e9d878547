"""Starting, serving and leaving, in this process; real processes are in tests/stack."""

import asyncio
import gc
import json
import socket
import threading
from pathlib import Path

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis.server import CannotStart, serving
from tests.fakes import FakeApp, FakeModel
from tests.harness import LOOPBACK, a_photo, model_app, ready, server_settings
from trilens.v1 import detector_pb2, detector_pb2_grpc


async def status(channel: grpc.aio.Channel, name: str) -> str:
    answer = await health_pb2_grpc.HealthStub(channel).Check(
        health_pb2.HealthCheckRequest(service=name), timeout=5
    )
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def test_an_app_that_cannot_start_is_live_and_never_ready() -> None:
    app = FakeApp(starts=False)
    app.may_start.set()
    async with (
        serving(server_settings(), app) as ports,
        grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.grpc}") as channel,
    ):
        await app.started.wait()
        assert await status(channel, "live") == "SERVING"
        assert await status(channel, "ready") == "NOT_SERVING"


async def test_an_app_that_breaks_while_starting_is_never_ready_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = FakeApp(breaks=RuntimeError("no such disk"))
    app.may_start.set()
    async with (
        serving(server_settings(), app) as ports,
        grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.grpc}") as channel,
    ):
        await app.started.wait()
        assert await status(channel, "ready") == "NOT_SERVING"
    assert "fake does not become ready" in caplog.text
    assert "no such disk" in caplog.text
    assert app.stopping.is_set()


async def test_leaving_does_not_wait_for_a_start_that_never_ends() -> None:
    app = FakeApp()  # never allowed to start
    async with asyncio.timeout(10), serving(server_settings(grace=60), app):
        pass
    assert app.stopping.is_set()


async def test_a_server_that_drains_never_says_again_that_it_is_ready(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.server._LOOK_SECONDS", 0.01)
    caplog.set_level("INFO")
    app = FakeApp()
    app.may_start.set()
    async with serving(server_settings(drain_delay=0.1), app):
        await app.started.wait()

    assert caplog.messages.count("ready") == 1


async def test_a_call_in_flight_is_finished_before_the_app_is_stopped() -> None:
    gate = threading.Event()
    model = FakeModel(gate=gate)
    async with serving(server_settings(), model_app(model)) as ports:
        channel = grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.grpc}")
        await ready(channel)
        request = detector_pb2.DetectObjectsRequest(image=a_photo())
        call = asyncio.ensure_future(
            detector_pb2_grpc.DetectorServiceStub(channel).DetectObjects(request, timeout=5)
        )
        await asyncio.to_thread(model.began.wait, 5)
        asyncio.get_running_loop().call_later(0.05, gate.set)  # while it drains

    assert (await call).detection.objects
    assert model.closed
    await channel.close()


async def test_the_ports_in_use_are_written_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    async with serving(server_settings(ports_file=file), FakeApp()) as ports:
        assert json.loads(file.read_text()) == {
            "grpc": ports.grpc,
            "health": ports.health,
            "metrics": ports.metrics,
        }
        assert ports.grpc != ports.health


async def test_a_ports_file_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "ports.json"
    with pytest.raises(CannotStart, match=f"cannot write {file}: No such file or directory"):
        async with serving(server_settings(ports_file=file), FakeApp()):
            pass


@pytest.mark.parametrize("setting", ["port", "health_port", "metrics_port"])
async def test_a_port_that_is_taken_is_said_in_one_line(setting: str) -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"cannot listen on 127.0.0.1:{port}: Address al"):
            async with serving(server_settings(**{setting: port}), FakeApp()):
                pass


@pytest.mark.parametrize("setting", ["port", "health_port", "metrics_port"])
async def test_two_servers_never_share_a_port(setting: str) -> None:
    async with serving(server_settings(), FakeApp()) as ports:
        port = ports.grpc if setting == "port" else ports.health
        with pytest.raises(CannotStart):
            async with serving(server_settings(**{setting: port}), FakeApp()):
                pass


async def test_an_address_may_be_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("no IPv6 here")
    async with (
        serving(server_settings(host="::1"), FakeApp()) as ports,
        grpc.aio.insecure_channel(f"[::1]:{ports.grpc}") as channel,
    ):
        assert await status(channel, "live") == "SERVING"


async def test_clients_without_proto_files_find_every_service_by_reflection() -> None:
    async with (
        serving(server_settings(), model_app(FakeModel())) as ports,
        grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.grpc}") as channel,
    ):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asking = stub.ServerReflectionInfo(timeout=5)
        await asking.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        answer = await asking.read()
        await asking.done_writing()
        assert {one.name for one in answer.list_services_response.service} == {
            "trilens.v1.DetectorService",
            "trilens.v1.ModelService",
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        }


async def test_a_reflection_stream_left_open_does_not_hold_the_drain() -> None:
    app = FakeApp()
    async with asyncio.timeout(10):
        async with serving(server_settings(grace=60), app) as ports:
            channel = grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.grpc}")
            asking = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()
            await asking.write(reflection_pb2.ServerReflectionRequest(list_services=""))
            await asking.read()
        await channel.close()


async def test_a_model_that_hangs_takes_ready_back_until_it_answers_again() -> None:
    gate = threading.Event()
    model = FakeModel(gate=gate)
    settings = server_settings(hang_after=0.05)
    try:
        async with serving(settings, model_app(model, slots=1)) as ports:
            channel = grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.grpc}")
            async with channel:
                await ready(channel)
                stub = detector_pb2_grpc.DetectorServiceStub(channel)
                asked = asyncio.ensure_future(
                    stub.DetectObjects(
                        detector_pb2.DetectObjectsRequest(image=a_photo()), timeout=30
                    )
                )
                watch = health_pb2_grpc.HealthStub(channel).Watch(
                    health_pb2.HealthCheckRequest(service="ready"), timeout=30
                )
                told = [(await watch.read()).status for _ in range(2)]
                gate.set()
                told.append((await watch.read()).status)
                watch.cancel()
                await asked
    finally:
        gate.set()

    serving_, not_serving = (
        health_pb2.HealthCheckResponse.SERVING,
        health_pb2.HealthCheckResponse.NOT_SERVING,
    )
    assert told == [serving_, not_serving, serving_]


async def test_a_reflection_stream_that_is_cancelled_leaves_no_error_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = FakeApp()
    app.may_start.set()
    async with serving(server_settings(), app) as ports:
        async with grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.grpc}") as channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            for _ in range(3):
                stream = stub.ServerReflectionInfo()
                await stream.write(reflection_pb2.ServerReflectionRequest(list_services=""))
                await stream.read()
                stream.cancel()
            await ready(channel)
        gc.collect()

    assert not [line for line in caplog.records if line.levelname == "ERROR"]


async def test_connections_of_some_age_are_renewed_and_no_call_is_lost() -> None:
    gate = threading.Event()
    model = FakeModel(gate=gate)
    settings = server_settings(max_connection_age=0.3)
    request = detector_pb2.DetectObjectsRequest(image=a_photo())
    health = health_pb2.HealthCheckRequest(service="live")
    async with (
        serving(settings, model_app(model)) as ports,
        grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.grpc}") as channel,
    ):
        await ready(channel)
        detector = detector_pb2_grpc.DetectorServiceStub(channel)
        long = asyncio.ensure_future(detector.DetectObjects(request, timeout=60))
        await asyncio.to_thread(model.began.wait, 30)
        first = own_ports(ports.grpc)
        async with asyncio.timeout(30):
            # The call under way holds its connection; others meanwhile get newer ones.
            while own_ports(ports.grpc) <= first:
                await health_pb2_grpc.HealthStub(channel).Check(health, timeout=30)
        gate.set()

        assert (await long).detection.objects


def own_ports(server: int) -> set[int]:
    """The client's ends of the connections to that port of this machine."""
    return {
        one.laddr.port
        for one in psutil.Process().net_connections("tcp")
        if one.raddr and one.raddr.port == server and one.status == psutil.CONN_ESTABLISHED
    }
