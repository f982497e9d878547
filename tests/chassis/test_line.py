"""The waiting line: order, and who is left out."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.call import Call, Deadline, Priority
from chassis.errors import DeadlineExceeded
from chassis.line import Line


def a_call(seconds: float = 5, priority: Priority = Priority.INTERACTIVE) -> Call:
    return Call(deadline=Deadline.after(seconds), request_id="r", priority=priority)


def nothing() -> None:
    """What joined() may do."""


async def joined(line: Line[Any, Any], item: Any, call: Call) -> "asyncio.Task[Any]":
    """A task that waits in the line."""
    there = asyncio.Event()
    task = asyncio.create_task(line.wait(item, call, there.set))
    await there.wait()
    return task


@given(st.lists(st.sampled_from(Priority), max_size=20))
def test_tickets_are_taken_by_priority_then_by_age(priorities: list[Priority]) -> None:
    async def scenario() -> None:
        line: Line[int, None] = Line()
        tasks = [
            await joined(line, number, a_call(priority=priority))
            for number, priority in enumerate(priorities)
        ]
        expected = sorted(range(len(priorities)), key=lambda number: (priorities[number], number))
        taken = []
        while (place := line.place()) is not None:
            ticket = line.take()
            assert ticket is not None
            assert place == (ticket.call.priority, ticket.since)
            taken.append(ticket.item)
            ticket.succeed(None)
        assert taken == expected
        assert len(line) == 0
        await asyncio.gather(*tasks)

    asyncio.run(scenario())


async def test_each_waits_for_its_own_answer() -> None:
    line: Line[str, str] = Line()
    tasks = [await joined(line, name, a_call()) for name in "abc"]

    tickets = [line.take() for _ in tasks]
    for ticket in reversed(tickets):
        assert ticket is not None
        ticket.succeed(ticket.item.upper())

    assert await asyncio.gather(*tasks) == ["A", "B", "C"]
    assert line.take() is None


async def test_whoever_is_cancelled_leaves_the_line() -> None:
    line: Line[str, None] = Line()
    task = await joined(line, "gone", a_call())

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert len(line) == 0
    assert line.place() is None


async def test_whoever_was_cancelled_a_moment_ago_is_not_taken() -> None:
    line: Line[str, None] = Line()
    gone = await joined(line, "gone", a_call())
    stays = await joined(line, "stays", a_call())

    gone.cancel()  # and no turn of the event loop before somebody is taken
    ticket = line.take()

    assert ticket is not None
    assert ticket.item == "stays"
    ticket.succeed(None)
    await asyncio.gather(stays, gone, return_exceptions=True)


async def test_whoever_is_late_is_told_and_not_taken() -> None:
    line: Line[str, None] = Line()
    taken: list[Any] = []

    with pytest.raises(DeadlineExceeded):
        await line.wait("late", a_call(0), lambda: taken.append(line.take()))

    assert taken == [None]


async def test_whoever_has_too_little_time_left_is_passed_over_and_stays() -> None:
    line: Line[str, None] = Line()
    tasks = [await joined(line, f"{seconds} s", a_call(seconds)) for seconds in (10, 40, 20, 50)]

    taken = [line.take(30), line.take(30), line.take(30), line.take_freshest()]

    assert [ticket and ticket.item for ticket in taken] == ["40 s", "50 s", None, "20 s"]
    assert len(line) == 1
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_freshest_is_none_whose_caller_has_gone_or_who_is_late() -> None:
    line: Line[str, None] = Line()
    gone = await joined(line, "gone", a_call(50))
    line_of_one = await joined(line, "stays", a_call(10))
    gone.cancel()

    ticket = line.take_freshest()

    assert ticket is not None
    assert ticket.item == "stays"
    assert line.take_freshest() is None
    ticket.succeed(None)
    await asyncio.gather(gone, line_of_one, return_exceptions=True)


async def test_time_passes_while_waiting() -> None:
    line: Line[str, None] = Line()

    with pytest.raises(DeadlineExceeded):
        await line.wait("never taken", a_call(0.01), nothing)

    assert len(line) == 0


@pytest.mark.parametrize(
    "answer",
    [lambda ticket: ticket.succeed(1), lambda ticket: ticket.fail(ValueError())],
    ids=["result", "error"],
)
async def test_an_answer_for_somebody_who_left_is_thrown_away(
    answer: Callable[[Any], None],
) -> None:
    line: Line[str, int] = Line()
    task = await joined(line, "left", a_call())
    ticket = line.take()
    task.cancel()
    await asyncio.wait([task])

    answer(ticket)

    assert task.cancelled()


async def test_a_timeout_of_the_work_itself_is_not_taken_for_the_callers() -> None:
    line: Line[str, None] = Line()
    task = await joined(line, "work", a_call())
    ticket = line.take()
    assert ticket is not None

    ticket.fail(TimeoutError("a disk that does not answer"))

    with pytest.raises(TimeoutError, match="a disk"):
        await task
