"""A failing accelerator: readiness goes and stays away, callers are sent elsewhere."""

import logging
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.images import Pixels
from services.device import ERRORS_IN_A_ROW
from services.runtimes import DeviceFailed
from tests.fakes import FakeModel
from tests.harness import a_photo, model_app, running
from trilens.v1 import detector_pb2, detector_pb2_grpc

DEAD = DeviceFailed("CUDA failure 719: unspecified launch failure")


class OnDevice(FakeModel):
    """Meets the fate that is next in line, and works once there are no more."""

    def __init__(self, *fates: Exception | None) -> None:
        super().__init__()
        self._fates = list(fates)

    def predict(self, batch: Sequence[Pixels]) -> tuple[Any, ...]:
        fate = self._fates.pop(0) if self._fates else None
        if fate is not None:
            raise fate
        return super().predict(batch)


async def detect(channel: grpc.aio.Channel) -> grpc.StatusCode:
    stub = detector_pb2_grpc.DetectorServiceStub(channel)
    try:
        await stub.DetectObjects(detector_pb2.DetectObjectsRequest(image=a_photo()), timeout=30)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def health(channel: grpc.aio.Channel, name: str) -> int:
    request = health_pb2.HealthCheckRequest(service=name)
    return (await health_pb2_grpc.HealthStub(channel).Check(request, timeout=30)).status


async def not_ready(channel: grpc.aio.Channel) -> None:
    """Waits until no work is asked for."""
    request = health_pb2.HealthCheckRequest(service="ready")
    watch = health_pb2_grpc.HealthStub(channel).Watch(request, timeout=30)
    async for answer in watch:
        if answer.status == health_pb2.HealthCheckResponse.NOT_SERVING:
            watch.cancel()
            return


async def test_a_device_that_fails_again_and_again_takes_ready_away_for_good(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = OnDevice(*[DEAD] * ERRORS_IN_A_ROW)
    with caplog.at_level(logging.ERROR):
        async with running(model_app(model)) as channel:
            codes = [await detect(channel) for _ in range(ERRORS_IN_A_ROW)]
            await not_ready(channel)
            # It would work by now, but nobody can know whether it goes on working.
            codes.append(await detect(channel))
            statuses = [await health(channel, name) for name in ("ready", "live")]

    assert codes == [grpc.StatusCode.UNAVAILABLE] * (ERRORS_IN_A_ROW + 1)
    assert model.batches == []
    assert statuses == [
        health_pb2.HealthCheckResponse.NOT_SERVING,
        health_pb2.HealthCheckResponse.SERVING,  # started again, it would get the same device
    ]
    (told,) = [line for line in caplog.messages if line.startswith("not ready")]
    assert told.endswith(f"3 errors in a row, the last: {DEAD}")


async def test_errors_of_a_device_that_works_in_between_cost_their_own_calls_only() -> None:
    model = OnDevice(*[DEAD, DEAD, None] * 3)
    async with running(model_app(model)) as channel:
        codes = [await detect(channel) for _ in range(9)]

        assert await health(channel, "ready") == health_pb2.HealthCheckResponse.SERVING
    assert (
        codes == [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.OK] * 3
    )


async def test_a_model_that_breaks_is_not_taken_for_its_device() -> None:
    model = OnDevice(*[RuntimeError("weights at /mnt/x are damaged")] * 5)
    async with running(model_app(model)) as channel:
        codes = [await detect(channel) for _ in range(5)]

        assert await health(channel, "ready") == health_pb2.HealthCheckResponse.SERVING
    assert codes == [grpc.StatusCode.INTERNAL] * 5
