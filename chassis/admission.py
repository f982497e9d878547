"""Admission: few calls at once, the others in line; first come, first served in time."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from chassis.call import Call
from chassis.errors import QueueFull
from chassis.line import Line
from chassis.telemetry import ADMIT, span

_RETRY_AFTER: Final = timedelta(seconds=1)
_SMOOTHING: Final = 0.1  # share of the newest call in the running mean of seconds
# A call that is let in with less than so many times what calls usually take ends for nothing.
_MARGIN: Final = 1.5


@dataclass(slots=True)
class _Turn:
    """Whether a waiting call has been let in."""

    come: bool = False


class Admitted:
    """A call's place among those that are worked on."""

    def __init__(self, lend: Callable[[], bool]) -> None:
        self._lend = lend
        self.lent = False

    def lend(self) -> None:
        """Lets another call in, for a call that has nothing to do any more but wait."""
        self.lent = self.lent or self._lend()


class Admission:
    """A bounded number of calls at once, and a bounded line of calls that wait for one to end.

    Few at once keeps photos in memory few, and lets the first call finish before the last begins.
    Those that can hardly be answered in time wait on while there are others that can.
    Calls that have lent their place are bounded as well, by as many as may wait in line; and so is
    what all of them hold: `max_held` bytes, although a photo alone is always let in.
    """

    def __init__(self, max_active: int, max_waiting: int, max_held: int) -> None:
        self._max_active = max_active
        self._max_waiting = max_waiting
        self._max_held = max_held
        self._held = 0
        self._active = 0
        self._lent = 0
        self._usual = 0.0  # seconds that a call keeps its place; running mean
        self._line: Line[_Turn, None] = Line()

    def waiting(self) -> int:
        """How many calls wait for a place."""
        return len(self._line)

    def crowded(self) -> bool:
        """Whether any does."""
        return self.waiting() > 0

    @asynccontextmanager
    async def place(self, call: Call, size: int) -> AsyncIterator[Admitted]:
        """A place for the block and its photo of `size` bytes.

        Raises QueueFull at once, DeadlineExceeded after waiting.
        """
        if self._held and self._held + size > self._max_held:
            raise QueueFull(f"calls under way hold {self._held >> 20} MiB already", _RETRY_AFTER)
        self._held += size
        try:
            async with self._admitted(call) as admitted:
                yield admitted
        finally:
            self._held -= size

    @asynccontextmanager
    async def _admitted(self, call: Call) -> AsyncIterator[Admitted]:
        if self._active < self._max_active:
            self._active += 1
        else:
            with span(ADMIT, call.trace):
                await self._wait(call)
        admitted = Admitted(self._lend)
        began = time.monotonic()
        try:
            yield admitted
            if not admitted.lent:
                self._took(time.monotonic() - began)
        finally:
            if admitted.lent:
                self._lent -= 1
            else:
                self._leave()

    async def _wait(self, call: Call) -> None:
        if len(self._line) >= self._max_waiting:
            raise QueueFull(f"{len(self._line)} calls wait already", _RETRY_AFTER)
        turn = _Turn()
        try:
            await self._line.wait(turn, call, lambda: None)
        except BaseException:
            # Cancelled in the very moment in which it was let in: the next one goes instead.
            if turn.come:
                self._leave()
            raise

    def _lend(self) -> bool:
        if self._lent >= self._max_waiting:
            return False
        self._lent += 1
        self._leave()
        return True

    def _took(self, seconds: float) -> None:
        self._usual += (_SMOOTHING if self._usual else 1.0) * (seconds - self._usual)

    def _leave(self) -> None:
        # While more calls come than can be answered, the first in line is the one whose time is
        # nearly over: let in one after the other, none of them would be answered.
        successor = self._line.take(_MARGIN * self._usual) or self._line.take_freshest()
        if successor is None:
            self._active -= 1
        else:
            successor.item.come = True
            successor.succeed(None)
