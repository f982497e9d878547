"""Every combination of fates over three features, through real servers, hosted and remote."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import product

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2

from tests.children import child
from tests.fakes import FEATURES
from tests.fates import (
    CONFIDENTIAL,
    FAILED,
    FATES,
    OK,
    SHED,
    TIMED_OUT,
    Fates,
    ask,
    gateway,
    named,
    services,
)
from tests.harness import running
from tests.statuses import detail, reason, status_of
from trilens.v1 import analysis_pb2 as pb

pytestmark = pytest.mark.stack

Case = tuple[str, str, str]

CASES: tuple[Case, ...] = tuple(product(FATES, repeat=3))  # type: ignore[assignment]
NAMES = tuple(FEATURES.values())
NAMED = [named(feature, fate) for feature in NAMES for fate in FATES]
PLACES = ("hosted", "remote")
NONE: tuple[int, ...] = ()
ALL: tuple[int, ...] = (0, 1, 2)
SECONDS = 2.0
# The calls' ends are spread over time, like those of callers who do not know of one another.
SECONDS_BETWEEN_CALLS = 0.02
ATTEMPTS = 3

STATES = {
    OK: pb.STATE_OK,
    FAILED: pb.STATE_FAILED,
    TIMED_OUT: pb.STATE_TIMED_OUT,
    SHED: pb.STATE_SHED,
}
CODES = {
    FAILED: code_pb2.INTERNAL,
    TIMED_OUT: code_pb2.DEADLINE_EXCEEDED,
    SHED: code_pb2.RESOURCE_EXHAUSTED,
}
REASONS = {FAILED: "MODEL_FAILED", TIMED_OUT: "DEADLINE_EXCEEDED", SHED: "QUEUE_FULL"}
# The documented order in which the codes of failed features become the call's own.
FIRST_TO_LAST = (FAILED, SHED, TIMED_OUT)


def required_sets(place: str, case: Case) -> tuple[tuple[int, ...], ...]:
    """Which features calls for the case require, by their place in NAMES."""
    if place == "remote":
        return (NONE,)
    return (NONE, ALL, (CASES.index(case) % 3,))


WANTED = [
    (place, case, required)
    for place in PLACES
    for case in CASES
    for required in required_sets(place, case)
]


@dataclass(frozen=True)
class End:
    """How a call ended."""

    response: pb.AnalyzeImageResponse | None
    error: status_pb2.Status | None
    seconds: float


Ends = Mapping[tuple[str, Case, tuple[int, ...]], End]


@pytest.fixture(scope="module")
def ends() -> Ends:
    return asyncio.run(_all_ends())


async def _all_ends() -> Ends:
    async with hosted() as one, remote() as other:
        channels = dict(zip(PLACES, (one, other), strict=True))
        calls = {}
        for place, case, required in WANTED:
            names = [named(feature, fate) for feature, fate in zip(NAMES, case, strict=True)]
            chosen = tuple(names[number] for number in required)
            call = _end(channels[place], names, chosen)
            calls[place, case, required] = asyncio.create_task(call)
            await asyncio.sleep(SECONDS_BETWEEN_CALLS)
        return dict(zip(calls, await asyncio.gather(*calls.values()), strict=True))


async def _end(channel: grpc.aio.Channel, names: list[str], required: tuple[str, ...]) -> End:
    loop = asyncio.get_running_loop()
    for attempt in range(1, ATTEMPTS + 1):
        began = loop.time()
        try:
            response = await ask(channel, names, required=required, seconds=SECONDS)
            return End(response, None, loop.time() - began)
        except grpc.aio.AioRpcError as error:
            # Without a status of ours the answer was on its way when the caller's time was up:
            # on a machine that stands still for a moment, that says nothing about fates.
            if attempt == ATTEMPTS or error.trailing_metadata():
                return End(None, status_of(error), loop.time() - began)
    raise AssertionError("unreachable")


@asynccontextmanager
async def hosted() -> AsyncIterator[grpc.aio.Channel]:
    fates = Fates()
    try:
        app = gateway(dict.fromkeys(NAMED), fates)
        async with running(app) as channel, fates.full(channel):
            yield channel
    finally:
        fates.release()


@asynccontextmanager
async def remote() -> AsyncIterator[grpc.aio.Channel]:
    """Services with servers of their own; those that are to time out are in a frozen process."""
    fates = Fates()
    frozen_names = [name for name in NAMED if name.endswith(TIMED_OUT)]
    others = [name for name in NAMED if name not in frozen_names]
    try:
        async with AsyncExitStack() as stack:
            frozen = await stack.enter_async_context(child(dict.fromkeys(frozen_names, 0)))
            targets = await stack.enter_async_context(services(others, fates))
            app = gateway(targets | dict(frozen.targets), Fates())
            channel = await stack.enter_async_context(running(app))
            frozen.freeze()
            await stack.enter_async_context(fates.full(channel))
            yield channel
    finally:
        fates.release()


def ends_at(ends: Ends, place: str) -> list[tuple[Case, tuple[int, ...], End]]:
    return [(case, required, end) for (at, case, required), end in ends.items() if at == place]


def deciding(case: Case, required: tuple[int, ...]) -> str | None:
    """The fate whose code the call ends with; None when it is OK."""
    failed = [case[place] for place in required if case[place] != OK]
    if not failed and OK not in case:
        failed = list(case)
    return min(failed, key=FIRST_TO_LAST.index) if failed else None


def retry_info(status: status_pb2.Status) -> error_details_pb2.RetryInfo | None:
    return detail(status, error_details_pb2.RetryInfo)


def states_of(end: End) -> pb.AnalyzeImageResponse:
    """The states, from the response or from the error's details."""
    if end.response is not None:
        return end.response
    assert end.error is not None
    states = detail(end.error, pb.AnalyzeImageResponse)
    assert states is not None
    return states


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_each_feature_tells_its_own_fate(ends: Ends, place: str, case: Case) -> None:
    for required in required_sets(place, case):
        outcomes = states_of(ends[place, case, required]).outcomes

        assert {name: outcome.state for name, outcome in outcomes.items()} == {
            named(feature, fate): STATES[fate] for feature, fate in zip(NAMES, case, strict=True)
        }


@pytest.mark.parametrize("place", PLACES)
def test_completeness_counts_the_answers(ends: Ends, place: str) -> None:
    expected = {0: pb.COMPLETENESS_EMPTY, 3: pb.COMPLETENESS_FULL}

    for case, _, end in ends_at(ends, place):
        wanted = expected.get(case.count(OK), pb.COMPLETENESS_PARTIAL)
        assert states_of(end).completeness == wanted, case


@pytest.mark.parametrize("place", PLACES)
def test_the_call_ends_with_the_first_code_of_what_it_could_not_do_without(
    ends: Ends, place: str
) -> None:
    for case, required, end in ends_at(ends, place):
        fate = deciding(case, required)
        if fate is None:
            assert end.error is None, (case, required)
            continue
        assert end.error is not None, (case, required)
        assert end.error.code == CODES[fate], (case, required)
        assert reason(end.error) == "ANALYSIS_FAILED"
        assert (retry_info(end.error) is not None) == (fate == SHED)


@pytest.mark.parametrize("place", PLACES)
def test_an_outcome_holds_a_result_or_a_reason(ends: Ends, place: str) -> None:
    results = {feature: task for task, feature in FEATURES.items()}
    for case, _, end in ends_at(ends, place):
        if end.response is None:
            continue
        for feature, fate in zip(NAMES, case, strict=True):
            outcome = end.response.outcomes[named(feature, fate)]
            if fate == OK:
                assert outcome.WhichOneof("result") == results[feature]
                assert outcome.model.version == "1.2.3"
                assert outcome.timings.batch_size >= 1
                assert not outcome.HasField("status")
                continue
            assert outcome.WhichOneof("result") is None
            assert not outcome.HasField("model")
            assert not outcome.HasField("timings")
            assert outcome.status.code == CODES[fate]
            assert reason(outcome.status) == REASONS[fate]
            assert (retry_info(outcome.status) is not None) == (fate == SHED)


@pytest.mark.parametrize("place", PLACES)
def test_no_call_ends_later_than_its_deadline_and_only_those_that_must_wait(
    ends: Ends, place: str
) -> None:
    for case, _, end in ends_at(ends, place):
        assert end.seconds < SECONDS
        assert TIMED_OUT in case or end.seconds < SECONDS * 0.8, case


@pytest.mark.parametrize("place", PLACES)
def test_callers_learn_nothing_of_a_models_own_error(ends: Ends, place: str) -> None:
    for _, _, end in ends_at(ends, place):
        assert CONFIDENTIAL not in str(end.response or end.error)
