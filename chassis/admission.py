"""Admission: few calls at once, the others in line; first come, first served."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from chassis.call import Call
from chassis.errors import QueueFull
from chassis.line import Line
from chassis.telemetry import ADMIT, span

_RETRY_AFTER: Final = timedelta(seconds=1)


@dataclass(slots=True)
class _Place:
    """Whether a waiting call has been given its place."""

    given: bool = False


class Admission:
    """A bounded number of calls at once, and a bounded line of calls that wait for one to end.

    Few at once keeps photos in memory few, and lets the first call finish before the last begins.
    """

    def __init__(self, max_active: int, max_waiting: int) -> None:
        self._max_active = max_active
        self._max_waiting = max_waiting
        self._active = 0
        self._line: Line[_Place, None] = Line()

    @asynccontextmanager
    async def place(self, call: Call) -> AsyncIterator[None]:
        """A place for the block; raises QueueFull at once, DeadlineExceeded after waiting."""
        if self._active < self._max_active:
            self._active += 1
        else:
            with span(ADMIT, call.trace):
                await self._wait(call)
        try:
            yield
        finally:
            self._leave()

    async def _wait(self, call: Call) -> None:
        if len(self._line) >= self._max_waiting:
            raise QueueFull(f"{len(self._line)} calls wait already", _RETRY_AFTER)
        place = _Place()
        try:
            await self._line.wait(place, call, lambda: None)
        except BaseException:
            # Cancelled in the very moment in which the place was given: pass it on.
            if place.given:
                self._leave()
            raise

    def _leave(self) -> None:
        successor = self._line.take()
        if successor is None:
            self._active -= 1
        else:
            successor.item.given = True
            successor.succeed(None)
