"""The process's one compute pool: as many jobs at once as it has cores, longest waiting first.

Models and the decoder are sources of jobs. A source is asked for a job only when a core is free,
so that whatever queued meanwhile can become one batch; nobody waits for a batch to fill.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol, TypeAlias

logger = logging.getLogger(__name__)

# (priority, time it came): the lowest goes first, over all sources.
Place: TypeAlias = tuple[int, float]


class Job(Protocol):
    """Work for one core."""

    def work(self) -> None:
        """Runs on a compute thread; must not raise."""

    def finished(self) -> None:
        """Runs on the event loop once the work is done."""


class Source(Protocol):
    """Where jobs come from; asked on the event loop only."""

    def place(self) -> Place | None:
        """The place of what waited longest, or None if nothing can be started now."""

    def take(self) -> Job | None:
        """The next job, which starts at once; None if what waited was not worth starting."""


class ComputePool:
    """A bounded number of jobs at once over all sources of a process.

    A job that runs longer than `lend_after` seconds gives its place to another one until it ends:
    a model call that never returns costs its own callers their answer, not everybody's.
    """

    def __init__(self, slots: int, lend_after: float) -> None:
        if slots < 1:
            raise ValueError("a pool needs at least one slot")
        self.slots = slots
        self.free = slots  # jobs that could start now
        self._lend_after = lend_after
        self._sources: list[Source] = []
        self._threads = 0
        self._busy = 0  # jobs that run, lent ones too
        self._closed = False
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def attach(self, source: Source) -> None:
        """Asks this source, too, from now on."""
        self._sources.append(source)

    def detach(self, source: Source) -> None:
        """Asks this source no more."""
        self._sources.remove(source)

    def wake(self) -> None:
        """Starts what can be started; sources call it when something came to wait."""
        while self.free > 0 and not self._closed:
            waiting = [(place, s) for s in self._sources if (place := s.place()) is not None]
            if not waiting:
                return
            _, source = min(waiting, key=lambda entry: entry[0])
            job = source.take()
            if job is not None:
                self._start(job)

    def close(self) -> None:
        """Starts no job from now on; the threads end, each once its own job returns."""
        self._closed = True
        while self._threads > 0:
            self._threads -= 1
            self._jobs.put(None)

    def _start(self, job: Job) -> None:
        loop = asyncio.get_running_loop()
        lease = _Lease(self, job)
        self._busy += 1
        if self._busy > self._threads:
            self._threads += 1
            # A daemon: a call that never returns must not keep the process from exiting.
            threading.Thread(
                target=self._serve, name=f"compute-{self._threads}", daemon=True
            ).start()
        timer = loop.call_later(self._lend_after, lease.lend)

        def run() -> None:
            try:
                job.work()
            except BaseException:  # whatever it was, the thread has other jobs to run
                logger.exception("%s was not finished", job)
            try:
                loop.call_soon_threadsafe(end)
            except RuntimeError:
                logger.warning("%s ended after its event loop was closed", job)

        def end() -> None:
            timer.cancel()
            self._busy -= 1
            lease.give_back()
            try:
                job.finished()
            finally:
                self.wake()

        self._jobs.put(run)

    def _serve(self) -> None:
        while (run := self._jobs.get()) is not None:
            run()


class _Lease:
    """A job's place in the pool: held until it is done, or until it is lent to another job."""

    def __init__(self, pool: ComputePool, job: Job) -> None:
        self._pool = pool
        self._job = job
        self._held = True
        pool.free -= 1

    def lend(self) -> None:
        logger.info("%s runs long: its core is lent to others meanwhile", self._job)
        self.give_back()
        self._pool.wake()

    def give_back(self) -> None:
        if self._held:
            self._held = False
            self._pool.free += 1
