"""Admission: few calls at once, in the order they came, and no place is ever lost."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from chassis.admission import Admission, Admitted
from chassis.call import Priority
from chassis.errors import DeadlineExceeded, QueueFull
from tests.harness import a_call


class Visitor:
    """A call that takes a place, and keeps it until told to leave."""

    def __init__(self, admission: Admission, name: str, order: list[str], **call: object) -> None:
        self._admission = admission
        self._name = name
        self._order = order
        self._call = a_call(**call)
        self._leave = asyncio.Event()
        self.place: Admitted | None = None
        self.task = asyncio.create_task(self._visit())

    async def _visit(self) -> None:
        async with self._admission.place(self._call, 1) as self.place:
            self._order.append(self._name)
            await self._leave.wait()

    async def leave(self) -> None:
        self._leave.set()
        await self.task
        await settled()


async def settled() -> None:
    """Lets every task go as far as it can without time passing."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_calls_enter_in_the_order_they_came() -> None:
    admission, order = Admission(2, 10, max_held=1 << 30), []
    visitors = [Visitor(admission, name, order) for name in "abcd"]
    await settled()
    assert order == ["a", "b"]

    for visitor in visitors:
        await visitor.leave()

    assert order == ["a", "b", "c", "d"]


async def test_interactive_calls_go_before_batches() -> None:
    admission, order = Admission(1, 10, max_held=1 << 30), []
    first = Visitor(admission, "first", order)
    batch = Visitor(admission, "batch", order, priority=Priority.BATCH)
    interactive = Visitor(admission, "interactive", order)
    await settled()

    for visitor in (first, interactive, batch):
        await visitor.leave()

    assert order == ["first", "interactive", "batch"]


async def test_one_call_more_than_may_wait_is_refused_at_once() -> None:
    admission, order = Admission(1, 1, max_held=1 << 30), []
    first, second = (Visitor(admission, name, order) for name in "ab")
    await settled()

    with pytest.raises(QueueFull):
        async with admission.place(a_call(), 1):
            pass

    await first.leave()
    await second.leave()
    assert order == ["a", "b"]


async def test_a_call_whose_time_is_up_leaves_the_line() -> None:
    admission, order = Admission(1, 1, max_held=1 << 30), []
    first = Visitor(admission, "first", order)
    late = Visitor(admission, "late", order, seconds=0.02)
    with pytest.raises(DeadlineExceeded):
        await late.task

    other = Visitor(admission, "other", order)
    await settled()
    await first.leave()
    await other.leave()

    assert order == ["first", "other"]


async def test_a_call_that_can_hardly_be_answered_in_time_keeps_none_waiting_that_can() -> None:
    admission, order = Admission(1, 10, max_held=1 << 30), []
    first = Visitor(admission, "first", order)
    hurried = Visitor(admission, "hurried", order, seconds=3.5)
    patient = Visitor(admission, "patient", order, seconds=60)
    await asyncio.sleep(1.5)  # that long a call is seen to take

    for visitor in (first, patient, hurried):
        await visitor.leave()

    assert order == ["first", "patient", "hurried"]


@pytest.mark.parametrize("in_line", [1, 3])
async def test_a_caller_who_goes_in_the_moment_of_being_let_in_loses_no_place(
    in_line: int,
) -> None:
    admission, order = Admission(1, 10, max_held=1 << 30), []
    first = Visitor(admission, "first", order)
    waiting = [Visitor(admission, f"waiting {number}", order) for number in range(in_line)]
    last = Visitor(admission, "last", order)
    await settled()

    def cancel() -> None:
        for visitor in waiting:
            visitor.task.cancel()

    first._leave.set()
    # Runs right after the place was given to the first one in line, who is not awake yet.
    asyncio.get_running_loop().call_soon(cancel)
    await settled()
    await last.leave()

    assert order == ["first", "last"]
    async with asyncio.timeout(1), admission.place(a_call(), 1):
        pass


async def test_every_place_is_free_again_however_calls_end() -> None:
    admission, order = Admission(3, 100, max_held=1 << 30), []
    visitors = [Visitor(admission, str(number), order) for number in range(60)]
    await settled()
    for number, visitor in enumerate(visitors):
        if number % 3 == 0:
            visitor.task.cancel()
        elif number % 3 == 1 and visitor.place is not None:
            visitor.place.lend()
        visitor._leave.set()
        if number % 7 == 0:
            await asyncio.sleep(0)
    await asyncio.gather(*(visitor.task for visitor in visitors), return_exceptions=True)

    async with AsyncExitStack() as stack, asyncio.timeout(1):
        for _ in range(3):
            await stack.enter_async_context(admission.place(a_call(), 1))
        fourth = Visitor(admission, "fourth", order)
        await settled()
        assert fourth.place is None
        fourth.task.cancel()


async def test_a_call_that_only_waits_lets_another_one_in() -> None:
    admission, order = Admission(1, 10, max_held=1 << 30), []
    waits, second, third = (Visitor(admission, name, order) for name in "abc")
    await settled()
    assert waits.place is not None

    waits.place.lend()
    waits.place.lend()  # once is all there is
    await settled()
    assert order == ["a", "b"]
    await waits.leave()  # and leaving gives nothing more
    assert order == ["a", "b"]

    await second.leave()
    await third.leave()
    assert order == ["a", "b", "c"]


async def test_no_more_calls_lend_their_place_than_may_wait() -> None:
    admission, order = Admission(1, 2, max_held=1 << 30), []
    visitors = []
    for name in "abc":
        visitors.append(Visitor(admission, name, order))
        await settled()
        if (place := visitors[-1].place) is not None:
            place.lend()

    refused_to_lend = Visitor(admission, "d", order)
    await settled()

    assert order == ["a", "b", "c"]
    await visitors[0].leave()  # it had lent its place: nobody comes in for it
    assert order == ["a", "b", "c"]
    await visitors[2].leave()
    assert order == ["a", "b", "c", "d"]
    for visitor in (visitors[1], refused_to_lend):
        await visitor.leave()


async def test_what_calls_hold_is_bounded_but_one_photo_is_always_let_in() -> None:
    admission = Admission(5, 5, max_held=100)

    async with admission.place(a_call(), 1000):
        with pytest.raises(QueueFull, match="calls under way hold"):
            async with admission.place(a_call(), 1):
                pass
    async with admission.place(a_call(), 60), admission.place(a_call(), 40):
        pass
