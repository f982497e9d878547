"""Errands: functions on the compute pool."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from chassis.compute import ComputePool
from chassis.errands import Errands
from chassis.errors import DeadlineExceeded, QueueFull
from tests.harness import a_call


@pytest.fixture
def pool() -> Iterator[ComputePool]:
    pool = ComputePool(slots=1, lend_after=60)
    yield pool
    pool.close()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


async def test_a_function_runs_on_a_compute_thread_and_its_result_comes_back(
    pool: ComputePool,
) -> None:
    errands = Errands(pool, "decode", max_waiting=1)

    name = await errands.run(lambda: threading.current_thread().name, a_call())

    assert name.startswith("compute-")


async def test_its_exception_comes_back_to_its_own_caller_only(pool: ComputePool) -> None:
    errands = Errands(pool, "decode", max_waiting=4)

    def broken() -> None:
        raise ValueError("mine")

    ends = await asyncio.gather(
        errands.run(broken, a_call()), errands.run(lambda: "fine", a_call()), return_exceptions=True
    )

    assert repr(ends[0]) == "ValueError('mine')"
    assert ends[1] == "fine"


async def test_one_more_than_may_wait_is_refused_at_once(
    pool: ComputePool, gate: threading.Event
) -> None:
    errands = Errands(pool, "decode", max_waiting=2)
    running = [asyncio.create_task(errands.run(gate.wait, a_call())) for _ in range(3)]
    await asyncio.sleep(0)

    with pytest.raises(QueueFull, match="too many photos wait to decode") as refusal:
        await errands.run(gate.wait, a_call())

    assert refusal.value.retry_after.total_seconds() > 0
    gate.set()
    assert await asyncio.gather(*running) == [True] * 3


async def test_it_is_idle_once_nothing_waits_and_nothing_runs(
    pool: ComputePool, gate: threading.Event
) -> None:
    errands = Errands(pool, "decode", max_waiting=2)
    assert errands.idle()

    running = asyncio.create_task(errands.run(gate.wait, a_call()))
    await asyncio.sleep(0)
    assert not errands.idle()

    gate.set()
    await running
    assert errands.idle()


async def test_what_runs_out_of_time_in_the_line_is_never_run(
    pool: ComputePool, gate: threading.Event
) -> None:
    errands = Errands(pool, "decode", max_waiting=2)
    ran: list[str] = []
    first = asyncio.create_task(errands.run(gate.wait, a_call()))
    await asyncio.sleep(0)

    with pytest.raises(DeadlineExceeded):
        await errands.run(lambda: ran.append("late"), a_call(0.01))

    gate.set()
    await first
    assert ran == []
