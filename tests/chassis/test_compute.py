"""The compute pool: how many jobs at once, in which order, and what becomes of bad ones."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.compute import ComputePool, Place

SECONDS = 10


class Task:
    """A job that runs a function and notes where it got to."""

    def __init__(
        self, work: Callable[[], None] = lambda: None, end: Callable[[], None] = lambda: None
    ):
        self.began = threading.Event()
        self.done = asyncio.Event()
        self._work = work
        self._end = end

    def work(self) -> None:
        self.began.set()
        self._work()

    def finished(self) -> None:
        self.done.set()
        self._end()

    async def has_begun(self) -> bool:
        return await asyncio.to_thread(self.began.wait, SECONDS)


@dataclass
class Shelf:
    """A source whose jobs lie ready, each with its place."""

    jobs: list[tuple[Place, Task | None]] = field(default_factory=list)

    def place(self) -> Place | None:
        return self.jobs[0][0] if self.jobs else None

    def take(self) -> Task | None:
        return self.jobs.pop(0)[1]


class Gauge:
    """Counts how many of its jobs run at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0

    def work(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        with self._lock:
            self._now -= 1


@pytest.fixture
async def gate() -> AsyncIterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


def pool_of(shelf: Shelf, slots: int, lend_after: float = 60) -> ComputePool:
    pool = ComputePool(slots, lend_after)
    pool.attach(shelf)
    return pool


async def within(seconds: float, *tasks: Task) -> None:
    async with asyncio.timeout(seconds):
        for task in tasks:
            await task.done.wait()


async def test_no_more_jobs_run_than_there_are_slots(gate: threading.Event) -> None:
    tasks = [Task(gate.wait) for _ in range(5)]
    shelf = Shelf([((0, number), task) for number, task in enumerate(tasks)])
    pool = pool_of(shelf, slots=2)

    pool.wake()
    assert await tasks[0].has_begun()
    assert await tasks[1].has_begun()

    assert pool.free == 0
    assert len(shelf.jobs) == 3
    gate.set()
    await within(SECONDS, *tasks)
    assert pool.free == 2
    pool.close()


async def test_the_longest_waiting_goes_first_over_all_sources_and_priority_before_age() -> None:
    order: list[str] = []

    def job(name: str) -> Task:
        return Task(lambda: order.append(name))

    last = job("shadow")
    one = Shelf([((0, 2.0), job("second")), ((1, 0.5), job("batch"))])
    other = Shelf([((0, 1.0), job("first")), ((0, 3.0), job("third")), ((2, 0.0), last)])
    pool = pool_of(one, slots=1)
    pool.attach(other)

    pool.wake()

    await within(SECONDS, last)
    assert order == ["first", "second", "third", "batch", "shadow"]
    pool.close()


async def test_a_job_that_hangs_lends_its_place_and_gives_it_back_only_once(
    gate: threading.Event,
) -> None:
    hung, after = Task(gate.wait), [Task() for _ in range(3)]
    shelf = Shelf([((0, number), task) for number, task in enumerate([hung, *after])])
    pool = pool_of(shelf, slots=1, lend_after=0.01)

    pool.wake()

    await within(SECONDS, *after)
    assert not hung.done.is_set()
    gate.set()
    await within(SECONDS, hung)
    assert pool.free == 1
    pool.close()


async def test_a_job_that_raises_where_it_must_not_costs_no_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def leave() -> None:
        raise SystemExit(3)

    bad, good = Task(leave), Task()
    pool = pool_of(Shelf([((0, 1), bad), ((0, 2), good)]), slots=1)

    pool.wake()

    await within(SECONDS, bad, good)
    assert "was not finished" in caplog.text
    pool.close()


async def test_an_error_in_what_follows_a_job_keeps_no_other_from_starting() -> None:
    errors: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: errors.append(repr(context["exception"]))
    )

    def broken() -> None:
        raise KeyError("spans")

    bad, good = Task(end=broken), Task()
    pool = pool_of(Shelf([((0, 1), bad), ((0, 2), good)]), slots=1)

    pool.wake()

    await within(SECONDS, good)
    assert errors == ["KeyError('spans')"]
    pool.close()


async def test_a_source_whose_waiting_work_was_not_worth_starting_is_passed_over() -> None:
    good = Task()
    pool = pool_of(Shelf([((0, 1), None), ((0, 2), None), ((0, 3), good)]), slots=1)

    pool.wake()

    await within(SECONDS, good)
    pool.close()


async def test_a_detached_source_is_asked_no_more() -> None:
    shelf = Shelf([((0, 1), Task())])
    pool = pool_of(shelf, slots=1)
    pool.detach(shelf)

    pool.wake()

    assert len(shelf.jobs) == 1
    pool.close()


async def test_a_closed_pool_starts_nothing_even_when_a_job_ends(gate: threading.Event) -> None:
    running, waiting = Task(gate.wait), Task()
    shelf = Shelf([((0, 1), running), ((0, 2), waiting)])
    pool = pool_of(shelf, slots=1)
    pool.wake()
    assert await running.has_begun()

    pool.close()
    pool.close()
    gate.set()

    await within(SECONDS, running)
    assert len(shelf.jobs) == 1


async def test_closing_ends_the_threads() -> None:
    threads: list[threading.Thread] = []
    task = Task(lambda: threads.append(threading.current_thread()))
    pool = pool_of(Shelf([((0, 1), task)]), slots=1)
    pool.wake()
    await within(SECONDS, task)

    pool.close()

    await asyncio.to_thread(threads[0].join, SECONDS)
    assert not threads[0].is_alive()


def test_a_pool_without_slots_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one slot"):
        ComputePool(0, 1.0)


@settings(max_examples=25)
@given(
    slots=st.integers(1, 4),
    arrivals=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60),
    lend_after=st.sampled_from([0.0001, 60.0]),
)
def test_whatever_comes_in_any_order_all_of_it_is_done(
    slots: int, arrivals: list[tuple[int, int]], lend_after: float
) -> None:
    async def scenario() -> None:
        gauge = Gauge()
        shelves = [Shelf() for _ in range(3)]
        pool = ComputePool(slots, lend_after)
        for shelf in shelves:
            pool.attach(shelf)
        ticks = count()
        tasks = []
        for source, priority in arrivals:
            task = Task(gauge.work)
            tasks.append(task)
            shelves[source].jobs.append(((priority, next(ticks)), task))
            pool.wake()
            if priority == 0:
                await asyncio.sleep(0)  # lets jobs end in between
        await within(SECONDS, *tasks)
        assert gauge.most <= slots or lend_after < 1
        assert pool.free == slots
        pool.close()

    asyncio.run(scenario())
