"""The door: what it makes of a request's surroundings, and of the errors behind it."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from chassis.call import Call, Deadline, Priority, current_call
from chassis.errors import InvalidRequest, NotReady, TrilensError, Violation
from chassis.interceptors import Door
from tests.harness import LOOPBACK
from tests.statuses import reason, status_of

METHOD = "/trilens.test.Echo/Say"

Say = Callable[[bytes, Any], Awaitable[bytes]]


@asynccontextmanager
async def behind_a_door(say: Say, **limits: float) -> AsyncIterator[Any]:
    """A call to `say` through a real server."""
    server = grpc.aio.server(
        interceptors=(Door(**{"default_deadline": 5.0, "max_deadline": 60.0} | limits),)
    )
    handler = grpc.unary_unary_rpc_method_handler(say)  # type: ignore[arg-type]
    service, name = METHOD.lstrip("/").split("/")
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {name: handler}),)
    )
    port = server.add_insecure_port(f"{LOOPBACK}:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"{LOOPBACK}:{port}") as channel:
            yield channel.unary_unary(METHOD)
    finally:
        await server.stop(None)


async def seen_call(metadata: Any = (), seconds: float | None = 5, **limits: float) -> Call:
    """The Call that code behind the door meets."""
    calls: list[Call] = []

    async def say(_: bytes, __: Any) -> bytes:
        calls.append(current_call())
        return b""

    async with behind_a_door(say, **limits) as ask:
        await ask(b"", metadata=metadata, timeout=seconds)
    return calls[0]


async def test_a_call_brings_its_id_its_lane_and_its_priority() -> None:
    call = await seen_call(
        (
            ("trilens-request-id", "mine"),
            ("trilens-lane", "canary"),
            ("trilens-priority", "batch"),
        )
    )

    assert (call.request_id, call.lane, call.priority) == ("mine", "canary", Priority.BATCH)
    assert call.caller.startswith("ipv4:127.0.0.1")


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (
            ("trilens-request-id", "x" * 129),
            ("trilens-lane", "x" * 129),
            ("trilens-priority", "urgent"),
            ("traceparent", "not one"),
        ),
    ],
    ids=["nothing", "nonsense"],
)
async def test_what_is_missing_or_malformed_gets_its_default(metadata: Any) -> None:
    call = await seen_call(metadata)

    assert (len(call.request_id), call.lane, call.priority) == (32, "stable", Priority.INTERACTIVE)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(None, 7.0), (3, 3.0), (1000, 9.0)], ids=["none", "own", "too long"]
)
async def test_every_call_has_a_deadline_within_the_limit(
    seconds: float | None, expected: float
) -> None:
    call = await seen_call((), seconds, default_deadline=7.0, max_deadline=9.0)

    # gRPC rounds what it sends up, by a few per cent.
    assert expected - 1.5 < call.deadline.left() <= expected * 1.05


async def failure(say: Say, **arguments: Any) -> grpc.aio.AioRpcError:
    async with behind_a_door(say) as ask:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await ask(b"", **{"timeout": 5} | arguments)
    return failed.value


async def test_an_error_of_ours_reaches_the_caller_as_it_is() -> None:
    async def say(_: bytes, __: Any) -> bytes:
        raise NotReady("loading")

    error = await failure(say)

    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "loading")
    assert reason(status_of(error)) == "NOT_READY"


async def test_an_unforeseen_error_tells_callers_nothing_and_the_log_everything(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def say(_: bytes, __: Any) -> bytes:
        raise RuntimeError("password in /etc/secret")

    error = await failure(say)

    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    assert "secret" not in str(status_of(error))
    assert f"unhandled error in {METHOD}" in caplog.text
    assert "password in /etc/secret" in caplog.text


async def test_a_servicers_own_abort_passes(caplog: pytest.LogCaptureFixture) -> None:
    async def say(_: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.NOT_FOUND, "not here")
        return b""

    with caplog.at_level(logging.INFO, "trilens.calls"):
        error = await failure(say)

    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "not here")
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert f"{METHOD} NOT_FOUND" in caplog.text


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (NotReady("the model is loading"), "UNAVAILABLE in .* ms: the model is loading$"),
        (
            InvalidRequest(Violation("labels", "no label 'mine'")),
            "ARGUMENT in .*: INVALID_REQUEST$",
        ),
    ],
    ids=["ours", "the caller's"],
)
async def test_the_log_says_why_a_call_failed_and_nothing_of_what_was_sent(
    caplog: pytest.LogCaptureFixture, error: TrilensError, line: str
) -> None:
    async def say(_: bytes, __: Any) -> bytes:
        raise error

    with caplog.at_level(logging.INFO, "trilens.calls"):
        await failure(say)

    assert re.search(line, caplog.messages[-1])
    assert "mine" not in caplog.text


@pytest.mark.parametrize(
    ("seconds", "code"), [(5.0, "CANCELLED"), (0.2, "DEADLINE_EXCEEDED")], ids=["gone", "late"]
)
async def test_the_log_tells_a_caller_who_left_from_one_whose_time_was_up(
    caplog: pytest.LogCaptureFixture, seconds: float, code: str
) -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    async def say(_: bytes, __: Any) -> bytes:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        return b""

    with caplog.at_level(logging.INFO, "trilens.calls"):
        async with behind_a_door(say) as ask, asyncio.timeout(5):
            call = ask(b"", timeout=seconds)
            await entered.wait()
            if code == "CANCELLED":
                call.cancel()
            await left.wait()
            await asyncio.wait([asyncio.ensure_future(call.code())])

    assert f"{METHOD} {code}" in caplog.text


@pytest.mark.parametrize(("left", "ran_out"), [(0, True), (0.05, True), (1, False)])
def test_a_call_given_up_just_before_its_deadline_ran_out_of_time(
    left: float, *, ran_out: bool
) -> None:
    assert Deadline.after(left).ran_out() is ran_out
