"""A waiting line: by priority, then first come, first served; anyone may leave it."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from chassis.call import Call, Priority
from chassis.compute import Place
from chassis.errors import DeadlineExceeded

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class Ticket(Generic[T, R]):
    """Something that waits, and the future its caller awaits."""

    item: T
    call: Call
    since: float  # monotonic seconds
    answer: "asyncio.Future[R]"

    def succeed(self, result: R) -> None:
        """Answers the caller, if there still is one."""
        if not self.answer.done():
            self.answer.set_result(result)

    def fail(self, error: Exception) -> None:
        """Answers the caller with an error, if there still is one."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Line(Generic[T, R]):
    """Tickets in the order in which they are to be served; for the event loop only."""

    def __init__(self) -> None:
        self._waiting: tuple[OrderedDict[int, Ticket[T, R]], ...] = tuple(
            OrderedDict() for _ in Priority
        )

    def __len__(self) -> int:
        return sum(len(tickets) for tickets in self._waiting)

    def place(self) -> Place | None:
        """The place of the first ticket, or None if nobody waits."""
        for priority, tickets in enumerate(self._waiting):
            for ticket in tickets.values():
                return priority, ticket.since
        return None

    def take(self, needs: float = 0.0) -> Ticket[T, R] | None:
        """Takes the first ticket out that somebody waits for and that has more seconds left.

        Late ones are told so on the way. Those that have too few stay.
        """
        for tickets in self._waiting:
            _dismiss_late(tickets)
            for key, ticket in tickets.items():
                if _left(ticket) > needs:
                    return tickets.pop(key)
        return None

    def take_freshest(self) -> Ticket[T, R] | None:
        """Takes the ticket out that has most time left among those of the first priority."""
        for tickets in self._waiting:
            _dismiss_late(tickets)
            if tickets:
                return tickets.pop(max(tickets, key=lambda key: _left(tickets[key])))
        return None

    async def wait(self, item: T, call: Call, joined: Callable[[], None]) -> R:
        """Joins the line, calls `joined`, and waits for the ticket's answer.

        Raises DeadlineExceeded when the call's time is up. Whoever is late or cancelled leaves the
        line at once; work that has begun for them is finished, and its result thrown away.
        """
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        ticket = Ticket(item, call, time.monotonic(), answer)
        tickets = self._waiting[call.priority]
        tickets[id(ticket)] = ticket
        joined()
        try:
            async with asyncio.timeout(call.deadline.left()) as limit:
                return await answer
        except TimeoutError:
            if limit.expired():
                raise late() from None
            raise  # the work's own
        finally:
            tickets.pop(id(ticket), None)
            if answer.done() and not answer.cancelled():
                # An error that came in the moment of cancellation counts as seen.
                answer.exception()


def _left(ticket: Ticket[T, R]) -> float:
    # Nobody waits for one that was cancelled just now: its caller has not had the time to leave.
    return 0.0 if ticket.answer.done() else ticket.call.deadline.left()


def _dismiss_late(tickets: OrderedDict[int, Ticket[T, R]]) -> None:
    """From the front on, until one has time left."""
    while tickets:
        key = next(iter(tickets))
        if _left(tickets[key]) > 0:
            return
        tickets.pop(key).fail(late())


def late() -> DeadlineExceeded:
    """What a caller is told whose time ran out."""
    return DeadlineExceeded("the deadline passed before the answer was there")
