"""Every combination of fates over three features, through real servers, hosted and remote."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import product

import grpc
import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2

from tests.children import child
from tests.fakes import FEATURES
from tests.fates import (
    FAILED,
    FATES,
    OK,
    SECRET,
    SHED,
    TIMED_OUT,
    Fates,
    ask,
    gateway,
    named,
    services,
)
from tests.harness import running
from trilens.v1 import analysis_pb2 as pb

Case = tuple[str, str, str]

CASES: tuple[Case, ...] = tuple(product(FATES, repeat=3))  # type: ignore[assignment]
NAMES = tuple(FEATURES.values())
NAMED = [named(feature, fate) for feature in NAMES for fate in FATES]
PLACES = ("hosted", "remote")
# Whose answer the call cannot do without, by place in NAMES.
NONE: tuple[int, ...] = ()
ALL: tuple[int, ...] = (0, 1, 2)
REQUIRED = {"hosted": (NONE, (0,), (1,), (2,), ALL), "remote": (NONE, ALL)}
SECONDS = 1.5
AT_ONCE = 48

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
        turns = asyncio.Semaphore(AT_ONCE)
        wanted = [
            (place, case, required)
            for place in PLACES
            for case in CASES
            for required in REQUIRED[place]
        ]

        async def end(place: str, case: Case, required: tuple[int, ...]) -> End:
            names = [named(feature, fate) for feature, fate in zip(NAMES, case, strict=True)]
            async with turns:
                return await _end(channels[place], names, tuple(names[i] for i in required))

        return dict(zip(wanted, await asyncio.gather(*(end(*one) for one in wanted)), strict=True))


async def _end(channel: grpc.aio.Channel, names: list[str], required: tuple[str, ...]) -> End:
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        response = await ask(channel, names, required=required, seconds=SECONDS)
    except grpc.aio.AioRpcError as error:
        details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
        assert isinstance(details, bytes), error
        assert len(details) <= 4096
        status = status_pb2.Status.FromString(details)
        assert status.code == error.code().value[0]
        return End(None, status, loop.time() - began)
    return End(response, None, loop.time() - began)


@asynccontextmanager
async def hosted() -> AsyncIterator[grpc.aio.Channel]:
    fates = Fates()
    try:
        async with running(gateway(dict.fromkeys(NAMED), fates)) as channel:
            async with aclosing(fates.fill(channel)) as full:
                await anext(full)
                yield channel
            fates.release()
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
            full = await stack.enter_async_context(aclosing(fates.fill(channel)))
            await anext(full)
            yield channel
            fates.release()
    finally:
        fates.release()


def deciding(case: Case, required: tuple[int, ...]) -> str | None:
    """The fate whose code the call ends with; None when it is OK."""
    failed = [case[place] for place in required if case[place] != OK]
    if not failed and OK not in case:
        failed = list(case)
    return min(failed, key=FIRST_TO_LAST.index) if failed else None


def retry_info(status: status_pb2.Status) -> error_details_pb2.RetryInfo | None:
    retry = error_details_pb2.RetryInfo()
    return retry if any(detail.Unpack(retry) for detail in status.details) else None


def reason(status: status_pb2.Status) -> str:
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "trilens"
    return info.reason


def states_of(end: End) -> pb.AnalyzeImageResponse:
    """The states, from the response or from the error's details."""
    if end.response is not None:
        return end.response
    assert end.error is not None
    states = pb.AnalyzeImageResponse()
    assert any(detail.Unpack(states) for detail in end.error.details)
    return states


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_each_feature_tells_its_own_fate(ends: Ends, place: str, case: Case) -> None:
    for required in REQUIRED[place]:
        outcomes = states_of(ends[place, case, required]).outcomes

        assert {name: outcome.state for name, outcome in outcomes.items()} == {
            named(feature, fate): STATES[fate] for feature, fate in zip(NAMES, case, strict=True)
        }


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_completeness_counts_the_answers(ends: Ends, place: str, case: Case) -> None:
    expected = {
        0: pb.COMPLETENESS_EMPTY,
        1: pb.COMPLETENESS_PARTIAL,
        2: pb.COMPLETENESS_PARTIAL,
        3: pb.COMPLETENESS_FULL,
    }[case.count(OK)]

    for required in REQUIRED[place]:
        assert states_of(ends[place, case, required]).completeness == expected


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_the_call_ends_with_the_first_code_of_what_it_could_not_do_without(
    ends: Ends, place: str, case: Case
) -> None:
    for required in REQUIRED[place]:
        end = ends[place, case, required]
        fate = deciding(case, required)
        if fate is None:
            assert end.error is None
            continue
        assert end.error is not None
        assert end.error.code == CODES[fate]
        assert reason(end.error) == "ANALYSIS_FAILED"
        assert (retry_info(end.error) is not None) == (fate == SHED)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("case", [case for case in CASES if OK in case], ids="-".join)
def test_an_outcome_holds_a_result_or_a_reason(ends: Ends, place: str, case: Case) -> None:
    response = ends[place, case, NONE].response
    assert response is not None
    for feature, fate in zip(NAMES, case, strict=True):
        outcome = response.outcomes[named(feature, fate)]
        if fate == OK:
            assert outcome.WhichOneof("result") == {v: k for k, v in FEATURES.items()}[feature]
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
    for (where, case, _), end in ends.items():
        if where == place:
            assert end.seconds < SECONDS
            assert TIMED_OUT in case or end.seconds < SECONDS * 0.8, case


@pytest.mark.parametrize("place", PLACES)
def test_callers_learn_nothing_of_a_models_own_error(ends: Ends, place: str) -> None:
    for (where, _, _), end in ends.items():
        if where == place:
            assert SECRET not in str(end.response or end.error)
