"""grpc.health.v1 as it is asked, over real channels."""

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack

import grpc
import pytest
from grpc_health.v1 import health_pb2 as pb
from grpc_health.v1 import health_pb2_grpc as rpc

from chassis.health import Health
from chassis.server import serving
from tests.fakes import FakeApp
from tests.harness import LOOPBACK, server_settings

SERVING = pb.HealthCheckResponse.SERVING
NOT_SERVING = pb.HealthCheckResponse.NOT_SERVING
UNKNOWN = pb.HealthCheckResponse.SERVICE_UNKNOWN
OURS = FakeApp.services[0]


def stub(channel: grpc.aio.Channel) -> rpc.HealthStub:
    return rpc.HealthStub(channel)


async def check(channel: grpc.aio.Channel, name: str) -> int:
    answer = await stub(channel).Check(pb.HealthCheckRequest(service=name), timeout=5)
    return int(answer.status)


def watch(channel: grpc.aio.Channel, name: str) -> "grpc.aio.UnaryStreamCall[object, object]":
    return stub(channel).Watch(pb.HealthCheckRequest(service=name), timeout=10)


async def rest(watching: "grpc.aio.UnaryStreamCall[object, object]") -> list[int]:
    """What is told until the stream ends, and that it ends well."""
    told = []
    while (answer := await watching.read()) is not grpc.aio.EOF:
        told.append(answer.status)
    assert await watching.code() is grpc.StatusCode.OK
    return told


@pytest.mark.parametrize("port", ["grpc", "health"])
async def test_until_it_has_started_a_process_is_live_but_not_ready(port: str) -> None:
    app = FakeApp()
    async with (
        serving(server_settings(), app) as ports,
        grpc.aio.insecure_channel(f"{LOOPBACK}:{getattr(ports, port)}") as channel,
    ):
        assert await check(channel, "live") == SERVING
        for name in ("", "ready", OURS):
            assert await check(channel, name) == NOT_SERVING

        watching = watch(channel, "ready")
        assert (await watching.read()).status == NOT_SERVING
        app.may_start.set()
        assert (await watching.read()).status == SERVING

        for name in ("", "ready", "live", OURS):
            assert await check(channel, name) == SERVING


async def test_a_name_that_is_not_served_here_is_not_found() -> None:
    async with (
        serving(server_settings(), FakeApp()) as ports,
        grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.health}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await check(channel, "nobody.Service")
        assert refusal.value.code() is grpc.StatusCode.NOT_FOUND

        watching = watch(channel, "nobody.Service")
        assert (await watching.read()).status == UNKNOWN
        watching.cancel()


async def test_every_name_is_listed_with_its_status() -> None:
    async with (
        serving(server_settings(), FakeApp()) as ports,
        grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.health}") as channel,
    ):
        answer = await stub(channel).List(pb.HealthListRequest(), timeout=5)

    assert {name: one.status for name, one in answer.statuses.items()} == {
        "": NOT_SERVING,
        "live": SERVING,
        "ready": NOT_SERVING,
        OURS: NOT_SERVING,
    }


async def test_draining_tells_every_watcher_ends_its_stream_and_waits_for_none() -> None:
    app = FakeApp()
    app.may_start.set()
    async with asyncio.timeout(10):  # the grace below is longer
        async with serving(server_settings(grace=60), app) as ports:
            channels = [
                grpc.aio.insecure_channel(f"{LOOPBACK}:{port}")
                for port in (ports.grpc, ports.health)
            ]
            watches = [watch(channel, name) for channel in channels for name in ("ready", "live")]
            for watching in watches:
                while (await watching.read()).status != SERVING:
                    pass
            unknown = watch(channels[0], "nobody.Service")
            await unknown.read()

    told = [await rest(watching) for watching in (*watches, unknown)]

    assert told == [[NOT_SERVING], [], [NOT_SERVING], [], []]
    for channel in channels:
        await channel.close()


async def test_a_client_that_balances_by_health_is_told_once_that_a_server_drains() -> None:
    app = FakeApp()
    app.may_start.set()
    config = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": "ready"},
    }
    states: list[grpc.ChannelConnectivity] = []

    async def note(channel: grpc.aio.Channel) -> None:
        while True:
            states.append(channel.get_state(try_to_connect=True))
            await channel.wait_for_state_change(states[-1])

    async with AsyncExitStack() as stack:
        ports = await stack.enter_async_context(serving(server_settings(drain_delay=0.5), app))
        address = f"ipv4:{LOOPBACK}:{ports.grpc}"
        options = (("grpc.service_config", json.dumps(config)),)
        channel = grpc.aio.insecure_channel(address, options=options)
        noting = asyncio.create_task(note(channel))
        async with asyncio.timeout(30):
            while grpc.ChannelConnectivity.READY not in states:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        states.clear()
        await stack.aclose()  # drains
    noting.cancel()
    await channel.close()

    assert grpc.ChannelConnectivity.TRANSIENT_FAILURE in states
    assert len(states) < 10, Counter(states)  # hundreds, if the stream were ended at once


async def test_a_start_that_ends_while_draining_asks_for_no_work() -> None:
    health = Health(())
    health.drain()

    health.set_ready(ready=True)

    told = await health.List(pb.HealthListRequest(), None)
    assert told.statuses["ready"].status == NOT_SERVING


async def test_live_stays_while_draining_and_ready_does_not() -> None:
    app = FakeApp()
    app.may_start.set()
    app.may_stop.clear()
    async with asyncio.timeout(20):
        leaving = asyncio.Event()

        async def serve() -> None:
            async with serving(server_settings(), app) as ports:
                listening.set_result(ports)
                await leaving.wait()

        listening = asyncio.get_running_loop().create_future()
        server = asyncio.create_task(serve())
        ports = await listening
        async with grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.health}") as channel:
            watching = watch(channel, "ready")
            while (await watching.read()).status != SERVING:
                pass
            leaving.set()  # the app takes its time to stop, and probes go on meanwhile
            await app.stopping.wait()

            assert await check(channel, "live") == SERVING
            assert await check(channel, "ready") == NOT_SERVING
            late = watch(channel, "ready")
            assert [answer.status async for answer in late] == [NOT_SERVING]
            app.may_stop.set()
            await server
