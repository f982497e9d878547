"""What a call takes along to the services: time, id, lane, priority and trace context."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest

from tests.fates import PHOTO
from tests.harness import LOOPBACK, gateway_app, running
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc
from trilens.v1 import detector_pb2, detector_pb2_grpc

TRACE = {"traceparent": f"00-{1:032x}-{2:016x}-01", "tracestate": "vendor=opaque"}


class Notes(detector_pb2_grpc.DetectorServiceServicer):
    """A detector that sees nothing and notes what came with each photo."""

    def __init__(self, codes: tuple[grpc.StatusCode, ...] = ()) -> None:
        self.metadata: list[dict[str, str]] = []
        self.seconds: list[float] = []
        self._codes = iter(codes)

    async def DetectObjects(self, _: Any, context: Any) -> detector_pb2.DetectObjectsResponse:
        self.metadata.append(dict(context.invocation_metadata()))
        self.seconds.append(context.time_remaining())
        if (code := next(self._codes, None)) is not None:
            await context.abort(code, "somewhere in 10.0.0.7:/srv")
        return detector_pb2.DetectObjectsResponse()


@asynccontextmanager
async def noting(notes: Notes) -> AsyncIterator[rpc.ImageAnalysisServiceStub]:
    """A gateway in front of those notes."""
    server = grpc.aio.server()
    detector_pb2_grpc.add_DetectorServiceServicer_to_server(notes, server)
    port = server.add_insecure_port(f"{LOOPBACK}:0")
    await server.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop, None)
        app = gateway_app({"detection": f"{LOOPBACK}:{port}"})
        channel = await stack.enter_async_context(running(app))
        yield rpc.ImageAnalysisServiceStub(channel)


REQUEST = pb.AnalyzeImageRequest(image={"content": PHOTO}, request_id="mine")


async def test_a_service_learns_who_asks_and_in_which_trace() -> None:
    notes = Notes()
    async with noting(notes) as front:
        metadata = (*TRACE.items(), ("trilens-lane", "canary"))
        await front.AnalyzeImage(REQUEST, timeout=5, metadata=metadata)

    (came,) = notes.metadata
    assert came["trilens-request-id"] == "mine"
    assert came["trilens-lane"] == "stable"  # the only one there is
    assert came["trilens-priority"] == "interactive"
    assert {key: came[key] for key in TRACE} == TRACE  # nothing is exported here: no span between


async def test_photos_of_a_batch_wait_behind_those_of_people() -> None:
    notes = Notes()
    async with noting(notes) as front:
        await front.BatchAnalyzeImages(pb.BatchAnalyzeImagesRequest(requests=[REQUEST] * 2))

    assert [one["trilens-priority"] for one in notes.metadata] == ["batch"] * 2
    assert [one["trilens-request-id"] for one in notes.metadata] == ["mine"] * 2


@pytest.mark.parametrize(("given", "passed_on"), [(5.0, 4.7), (1.0, 0.8), (0.5, 0.4)])
async def test_a_service_gets_less_time_than_the_caller_gave(
    given: float, passed_on: float
) -> None:
    notes = Notes()
    async with noting(notes) as front:
        await front.AnalyzeImage(REQUEST, timeout=given)

    # gRPC rounds what it sends up, by a few per cent.
    assert 0 < notes.seconds[0] <= passed_on * 1.05


async def test_only_a_service_that_is_away_is_asked_again() -> None:
    away = Notes((grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAVAILABLE))
    async with noting(away) as front:
        answer = await front.AnalyzeImage(REQUEST, timeout=5)

    assert answer.outcomes["objects"].state == pb.STATE_OK
    assert len(away.metadata) == 3
    assert len({one["trilens-request-id"] for one in away.metadata}) == 1


@pytest.mark.parametrize(
    ("code", "state", "told"),
    [
        (grpc.StatusCode.INTERNAL, pb.STATE_FAILED, grpc.StatusCode.INTERNAL),
        (grpc.StatusCode.UNKNOWN, pb.STATE_FAILED, grpc.StatusCode.INTERNAL),
        (grpc.StatusCode.UNIMPLEMENTED, pb.STATE_FAILED, grpc.StatusCode.INTERNAL),
        (grpc.StatusCode.CANCELLED, pb.STATE_FAILED, grpc.StatusCode.UNAVAILABLE),
        (
            grpc.StatusCode.DEADLINE_EXCEEDED,
            pb.STATE_TIMED_OUT,
            grpc.StatusCode.DEADLINE_EXCEEDED,
        ),
    ],
    ids=lambda value: value.name if isinstance(value, grpc.StatusCode) else None,
)
async def test_an_error_that_is_not_ours_is_told_without_its_text(
    code: grpc.StatusCode, state: pb.State, told: grpc.StatusCode
) -> None:
    notes = Notes((code,))
    async with noting(notes) as front:
        items = (
            await front.BatchAnalyzeImages(pb.BatchAnalyzeImagesRequest(requests=[REQUEST]))
        ).items

    assert items[0].status.code == told.value[0]
    assert "10.0.0.7" not in str(items)
    assert len(notes.metadata) == 1
    states = pb.AnalyzeImageResponse()
    assert any(one.Unpack(states) for one in items[0].status.details)
    assert states.outcomes["objects"].state == state


async def test_a_caller_who_leaves_is_told_to_the_service() -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    class Endless(Notes):
        async def DetectObjects(self, _: Any, __: Any) -> detector_pb2.DetectObjectsResponse:
            entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                left.set()
            raise AssertionError("unreachable")

    async with noting(Endless()) as front, asyncio.timeout(5):
        call = front.AnalyzeImage(REQUEST, timeout=60)
        await entered.wait()
        call.cancel()
        await left.wait()
