"""Single function calls on the compute pool, such as decoding a photo."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from chassis.call import Call
from chassis.compute import ComputePool, Place
from chassis.errors import QueueFull
from chassis.line import Line, Ticket


class Errands:
    """Runs functions on the pool's threads, each as a job of its own, first come first served."""

    def __init__(self, pool: ComputePool, name: str, max_waiting: int) -> None:
        self.name = name
        self._pool = pool
        self._max_waiting = max_waiting
        self._line: Line[Callable[[], Any], Any] = Line()
        self._running = 0
        pool.attach(self)

    async def run(self, function: Callable[[], Any], call: Call) -> Any:
        """The function's result or exception.

        Raises QueueFull at once if too much waits, DeadlineExceeded when the call's time is up.
        """
        if len(self._line) >= self._max_waiting:
            raise QueueFull(f"too many photos wait to {self.name}", timedelta(seconds=1))
        return await self._line.wait(function, call, self._pool.wake)

    def idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return self._running == 0 and len(self._line) == 0

    def close(self) -> None:
        """Asks for no more of the pool's time."""
        self._pool.detach(self)

    def place(self) -> Place | None:
        """The place of the function that has waited longest."""
        return self._line.place()

    def take(self) -> "_Errand | None":
        """That function, as a job."""
        ticket = self._line.take()
        if ticket is None:
            return None
        self._running += 1
        return _Errand(self, ticket)

    def ended(self) -> None:
        """Called by a job when it is done."""
        self._running -= 1


class _Errand:
    def __init__(self, errands: Errands, ticket: Ticket[Callable[[], Any], Any]) -> None:
        self._errands = errands
        self._ticket = ticket
        self._result: Any = None
        self._error: Exception | None = None

    def __repr__(self) -> str:
        return self._errands.name

    def work(self) -> None:
        try:
            self._result = self._ticket.item()
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits for it
            self._error = error

    def finished(self) -> None:
        self._errands.ended()
        if self._error is not None:
            self._ticket.fail(self._error)
        else:
            self._ticket.succeed(self._result)
