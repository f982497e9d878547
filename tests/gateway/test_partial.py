"""One service that is slow, frozen or gone costs only its own part of the answer."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import grpc
import pytest

from chassis.compute import ComputePool
from chassis.server import serving
from services.detector.__main__ import detector
from services.hosting import ModelSettings
from tests.children import Child, child
from tests.fakes import FakeModel
from tests.fates import FAILED, OK, SHED, TIMED_OUT, Fates, ask, gateway, named, services
from tests.harness import LOOPBACK, gateway_app, running, server_settings
from tests.statuses import reason
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc

GOOD = [named("attributes", OK), named("captions", OK)]
OTHER = named("objects", OK)
NAMES = [*GOOD, OTHER]
CALLS = 96


@asynccontextmanager
async def with_a_child() -> AsyncIterator[tuple[grpc.aio.Channel, Child]]:
    """A gateway, two services beside it, and one in a process of its own."""
    fates = Fates()
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(child({OTHER: 0}))
        targets = await stack.enter_async_context(services(GOOD, fates))
        app = gateway(targets | dict(other.targets), fates)
        channel = await stack.enter_async_context(running(app))
        assert (await ask(channel, NAMES)).completeness == pb.COMPLETENESS_FULL
        yield channel, other


async def many(channel: grpc.aio.Channel, at_once: int) -> list[pb.AnalyzeImageResponse]:
    """Answers that came in time, to calls of two seconds each, so many at once."""
    turns = asyncio.Semaphore(at_once)

    async def one() -> pb.AnalyzeImageResponse:
        async with turns:
            return await ask(channel, NAMES, seconds=2)

    ends = await asyncio.gather(*(one() for _ in range(CALLS)), return_exceptions=True)
    for end in ends:
        # Only an answer that was on its way may come too late: where the machine stands still.
        assert not isinstance(end, grpc.aio.AioRpcError) or not end.trailing_metadata(), end
    return [end for end in ends if isinstance(end, pb.AnalyzeImageResponse)]


def assert_partial(answers: list[pb.AnalyzeImageResponse], state: pb.State, why: str) -> None:
    assert len(answers) >= CALLS * 0.97
    for answer in answers:
        assert [answer.outcomes[name].state for name in GOOD] == [pb.STATE_OK] * 2
        assert answer.outcomes[OTHER].state == state
        assert reason(answer.outcomes[OTHER].status) == why


@pytest.mark.stack
async def test_a_frozen_service_costs_its_own_feature_until_it_thaws() -> None:
    async with with_a_child() as (channel, other):
        other.freeze()

        answers = await many(channel, 16)

        assert_partial(answers, pb.STATE_TIMED_OUT, "DEADLINE_EXCEEDED")
        other.thaw()
        assert (await ask(channel, NAMES)).completeness == pb.COMPLETENESS_FULL


@pytest.mark.stack
async def test_a_killed_service_costs_its_own_feature_and_comes_back_on_its_port() -> None:
    async with with_a_child() as (channel, other):
        await other.kill()

        answers = await many(channel, 4)

        assert_partial(answers, pb.STATE_FAILED, "BACKEND_UNREACHABLE")
        port = int(other.targets[OTHER].rpartition(":")[2])
        async with child({OTHER: port}), asyncio.timeout(5):
            while (await ask(channel, NAMES)).completeness != pb.COMPLETENESS_FULL:
                pass


async def test_a_service_that_is_not_ready_says_nothing_of_its_package_to_callers() -> None:
    fates = Fates()
    app = detector(ModelSettings(model="/private/package"), ComputePool(1, lend_after=1))
    async with AsyncExitStack() as stack:
        targets = await stack.enter_async_context(services(GOOD, fates))
        ports = await stack.enter_async_context(serving(server_settings(), app))
        targets[OTHER] = f"{LOOPBACK}:{ports.grpc}"
        channel = await stack.enter_async_context(running(gateway(targets, fates)))

        answer = await ask(channel, NAMES)

        assert reason(answer.outcomes[OTHER].status) == "NOT_READY"
        assert answer.outcomes[OTHER].status.message == f"{OTHER} is loading or draining"
        assert "/private/package" not in str(answer)


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [({"default_deadline": 0.5}, None), ({"max_deadline": 0.5}, 60.0)],
    ids=["a call without a deadline", "a call with too long a deadline"],
)
async def test_the_servers_own_limit_ends_the_wait(
    settings: dict[str, Any], seconds: float | None
) -> None:
    fates = Fates()
    stuck = named("objects", TIMED_OUT)
    try:
        async with running(gateway(dict.fromkeys([*GOOD, stuck]), fates), **settings) as channel:
            async with asyncio.timeout(3):
                answer = await ask(channel, [*GOOD, stuck], seconds=seconds)

            assert answer.completeness == pb.COMPLETENESS_PARTIAL
            assert 0.2 < answer.outcomes[stuck].total_seconds < 3
            fates.release()
    finally:
        fates.release()


class EndedCalls(logging.Handler):
    """The log line of every call that ended, to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: asyncio.Queue[str] = asyncio.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.put_nowait(record.getMessage())

    async def until(self, chosen: Callable[[str], bool]) -> None:
        """Waits for a line."""
        async with asyncio.timeout(5):
            while not chosen(await self._lines.get()):
                pass


@contextmanager
def ended_calls() -> Any:
    logger = logging.getLogger("trilens.calls")
    handler = EndedCalls()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@pytest.mark.parametrize("place", ["hosted", "remote"])
async def test_the_photo_of_a_caller_who_left_the_queue_is_never_predicted(place: str) -> None:
    name = named("objects", SHED)
    fates = Fates()
    try:
        async with AsyncExitStack() as stack:
            targets: dict[str, str | None] = {name: None}
            if place == "remote":
                targets |= await stack.enter_async_context(services([name], fates))
            channel = await stack.enter_async_context(running(gateway(targets, fates)))
            running_call, waiting = await fates.fill(channel)
            service = "ImageAnalysisService" if place == "hosted" else "DetectorService"
            with ended_calls() as ended:
                waiting.cancel()
                await ended.until(lambda line: service in line and "CANCELLED" in line)
            fates.release()

            await ask(channel, [name])

            await running_call
            assert len(fates.models[name].seen) == 2
    finally:
        fates.release()


@pytest.mark.parametrize(
    "image",
    [
        {"content": bytes(300_000)},
        {"pixels": {"width": 1000, "height": 100, "rgb": bytes(300_000)}},
    ],
    ids=["encoded", "pixels"],
)
async def test_photos_that_calls_hold_are_bounded_whatever_they_come_as(
    image: dict[str, Any],
) -> None:
    gate = threading.Event()
    model = FakeModel(gate=gate)
    app = gateway_app({"detection": model}, max_held_bytes=400_000)
    async with running(app) as channel:
        front = rpc.ImageAnalysisServiceStub(channel)
        holds = pb.AnalyzeImageRequest(
            image={"pixels": {"width": 1000, "height": 100, "rgb": bytes(300_000)}}
        )
        held = asyncio.ensure_future(front.AnalyzeImage(holds, timeout=30))
        while not model.seen:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await front.AnalyzeImage(pb.AnalyzeImageRequest(image=image), timeout=2)
        gate.set()
        await held

    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_broken_model_is_told_of_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    broken = named("objects", FAILED)
    async with running(gateway(dict.fromkeys([*GOOD, broken]), Fates())) as channel:
        await ask(channel, [*GOOD, broken])

    assert "weights at /mnt/x" in caplog.text
