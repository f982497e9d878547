"""The gateway as KEDA's external scaler: real gateways, asked as KEDA asks."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest

from chassis.server import serving
from gateway.externalscaler import externalscaler_pb2 as pb
from gateway.externalscaler import externalscaler_pb2_grpc as rpc
from tests.collector import collecting, exporting
from tests.fakes import FakeModel
from tests.fates import ask
from tests.harness import LOOPBACK, gateway_app, model_app, ready, server_settings
from tests.names import Names, free_port

A, B, C = "127.0.0.2", "127.0.0.3", "127.0.0.4"
GATEWAYS = "gateways.test"
NOBODY = "dns:///detector.test:50051"
PATIENCE_SECONDS = 30
OBJECTS = pb.ScaledObjectRef(
    name="detector", namespace="trilens", scalerMetadata={"feature": "objects"}
)
VALUE = pb.GetMetricsRequest(scaledObjectRef=OBJECTS, metricName="trilens-objects-stable")


class Gateway:
    """A gateway, and the scaler on its health port."""

    def __init__(self, front: grpc.aio.Channel, scaler: rpc.ExternalScalerStub) -> None:
        self.front = front
        self.scaler = scaler

    async def nobody_answers(self) -> None:
        """A call for the feature, which fails."""
        with pytest.raises(grpc.aio.AioRpcError):
            await ask(self.front, ["objects"], seconds=PATIENCE_SECONDS)

    async def active(self, ref: pb.ScaledObjectRef = OBJECTS) -> bool:
        return bool((await self.scaler.IsActive(ref, timeout=PATIENCE_SECONDS)).result)

    async def photos(self) -> float:
        (value,) = (await self.scaler.GetMetrics(VALUE, timeout=PATIENCE_SECONDS)).metricValues
        assert value.metricName == "trilens-objects-stable"
        return float(value.metricValueFloat)


@asynccontextmanager
async def gateway(
    target: str = NOBODY, host: str = LOOPBACK, health_port: int = 0, **settings: Any
) -> AsyncIterator[Gateway]:
    app = gateway_app({"detection": target}, **{"scaler": True} | settings)
    where = server_settings(host=host, health_port=health_port)
    async with (
        serving(where, app) as ports,
        grpc.aio.insecure_channel(f"{host}:{ports.grpc}") as front,
        grpc.aio.insecure_channel(f"{host}:{ports.health}") as inside,
    ):
        await ready(front)
        yield Gateway(front, rpc.ExternalScalerStub(inside))


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    monkeypatch.setattr("gateway.demand._MEMORY_SECONDS", 0.05)
    monkeypatch.setattr("gateway.scaler.servicer._LOOK_SECONDS", 0.02)
    return Names(monkeypatch)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.02)


def metadata(**values: str) -> pb.ScaledObjectRef:
    return pb.ScaledObjectRef(scalerMetadata={"feature": "objects"} | values)


async def test_a_gateway_is_no_scaler_unless_told() -> None:
    async with gateway(scaler=False) as one:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await one.active()

    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_photo_that_nobody_answered_asks_for_a_pod() -> None:
    async with gateway() as one:
        assert not await one.active()
        await one.nobody_answers()

        assert await one.active()
        assert not await one.active(metadata(track="canary"))


async def test_without_photos_for_some_time_there_is_no_work() -> None:
    async with gateway() as one:
        await one.nobody_answers()

        async def idle() -> bool:
            return not await one.active(metadata(activeSeconds="0.1"))

        await until(idle)
        assert await one.active()  # for a minute, unless told otherwise


async def test_who_is_told_of_changes_hears_at_once_that_there_is_work() -> None:
    async with gateway() as one:
        told = one.scaler.StreamIsActive(metadata(activeSeconds="0.2"), timeout=PATIENCE_SECONDS)
        assert not (await told.read()).result
        await one.nobody_answers()
        assert (await told.read()).result
        assert not (await told.read()).result
        told.cancel()


async def test_the_metric_is_the_photos_under_way_and_the_trigger_says_how_many_are_enough() -> (
    None
):
    gate = threading.Event()
    async with AsyncExitStack() as stack:
        model = model_app(FakeModel(gate=gate))
        ports = await stack.enter_async_context(serving(server_settings(), model))
        one = await stack.enter_async_context(gateway(f"{LOOPBACK}:{ports.grpc}"))
        assert await one.photos() == 0
        calls = [
            asyncio.create_task(ask(one.front, ["objects"], seconds=PATIENCE_SECONDS))
            for _ in range(3)
        ]

        async def three() -> bool:
            return 2.9 < await one.photos() <= 3

        await until(three)
        gate.set()
        await asyncio.gather(*calls)

        (spec,) = (await one.scaler.GetMetricSpec(metadata(target="2.5"))).metricSpecs
        assert (spec.metricName, spec.targetSizeFloat) == ("trilens-objects-stable", 2.5)


@pytest.mark.parametrize(
    ("ref", "named"),
    [
        (pb.ScaledObjectRef(), "metadata.feature: say which"),
        (metadata(feature="faces"), "metadata.feature: must be one of objects"),
        (metadata(track="beta"), "metadata.track: must be one of stable, canary"),
        (metadata(target="0"), "metadata.target: must be a number above 0"),
        (metadata(activeSeconds="soon"), "metadata.activeSeconds: must be a number above 0"),
    ],
    ids=["nothing", "feature", "track", "target", "active"],
)
async def test_a_trigger_that_asks_nonsense_is_told_what_is_wrong(
    ref: pb.ScaledObjectRef, named: str
) -> None:
    async with gateway() as one:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await one.scaler.GetMetricSpec(ref)
        stream = one.scaler.StreamIsActive(ref, timeout=PATIENCE_SECONDS)
        with pytest.raises(grpc.aio.AioRpcError) as refused_stream:
            await stream.read()

    for error in (refusal.value, refused_stream.value):
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert named in (error.details() or "")


async def test_any_gateway_answers_for_all_of_them(names: Names) -> None:
    port = free_port()
    peers = {"health_port": port, "scaler_peers": f"dns:///{GATEWAYS}:{port}"}
    names.say(GATEWAYS, [A, B])
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(gateway(host=A, **peers))
        own = await stack.enter_async_context(AsyncExitStack())
        other = await own.enter_async_context(gateway(host=B, **peers))
        await other.nobody_answers()

        assert await one.active()

        await own.aclose()  # gone, and still named: what it saw last counts on
        assert await one.active()
        names.say(GATEWAYS, [A])
        assert not await one.active()


async def test_gateways_that_do_not_answer_and_names_that_fail_are_said_once_each(
    names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    names.say(GATEWAYS, [A, B])  # nobody is at B
    async with gateway(host=A, health_port=port, scaler_peers=f"dns:///{GATEWAYS}:{port}") as one:
        for _ in range(3):
            await one.active()
        names.fail(GATEWAYS)
        for _ in range(3):
            await one.active()

    said = [line for line in caplog.messages if "does not tell" in line or "as known" in line]
    assert len(said) == 2
    assert f"{B}:{port}" in said[0]


async def test_gateways_that_leave_while_they_are_asked_cost_nobody_an_answer(
    names: Names,
) -> None:
    port = free_port()
    peers = {"health_port": port, "scaler_peers": f"dns:///{GATEWAYS}:{port}"}
    names.say(GATEWAYS, [A, B, C])
    async with AsyncExitStack() as stack:
        one, *_ = [
            await stack.enter_async_context(gateway(host=host, **peers)) for host in (A, B, C)
        ]

        async def asks() -> None:
            for _ in range(20):
                await one.active()

        async def leave_and_come() -> None:
            while True:
                names.say(GATEWAYS, [A])
                await asyncio.sleep(0.01)
                names.say(GATEWAYS, [A, B, C])
                await asyncio.sleep(0.01)

        changing = asyncio.create_task(leave_and_come())
        await asyncio.gather(*(asks() for _ in range(8)))
        changing.cancel()


async def test_questions_that_never_end_fill_neither_logs_nor_traces(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with (
        collecting() as (collector, endpoint),
        exporting(endpoint),
        gateway() as one,
    ):
        with caplog.at_level(logging.INFO):
            await one.active()
            with pytest.raises(grpc.aio.AioRpcError):
                await one.active(metadata(feature="faces"))

    calls = [line for line in caplog.messages if "/externalscaler." in line]
    assert len(calls) == 1
    assert "INVALID_ARGUMENT" in calls[0]
    assert collector.spans == []


def test_fields_have_the_numbers_of_kedas_own_protocol() -> None:
    numbers = {
        message.name: {field.name: field.number for field in message.fields}
        for message in pb.DESCRIPTOR.message_types_by_name.values()
    }

    assert pb.DESCRIPTOR.package == "externalscaler"
    assert numbers == {
        "ScaledObjectRef": {"name": 1, "namespace": 2, "scalerMetadata": 3},
        "IsActiveResponse": {"result": 1},
        "GetMetricSpecResponse": {"metricSpecs": 1},
        "MetricSpec": {"metricName": 1, "targetSize": 2, "targetSizeFloat": 3},
        "GetMetricsRequest": {"scaledObjectRef": 1, "metricName": 2},
        "GetMetricsResponse": {"metricValues": 1},
        "MetricValue": {"metricName": 1, "metricValue": 2, "metricValueFloat": 3},
    }
