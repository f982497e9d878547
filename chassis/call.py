"""Call: what a request brings besides its message; built once at each door, then frozen."""

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final, Self

from opentelemetry import propagate
from opentelemetry.context import Context as TraceContext

LANE_KEY: Final = "trilens-lane"
PRIORITY_KEY: Final = "trilens-priority"
REQUEST_ID_KEY: Final = "trilens-request-id"
STABLE: Final = "stable"
CANARY: Final = "canary"
MAX_ID_CHARACTERS: Final = 128

# A caller's clock starts before its call has arrived: its giving up may come this much before the
# deadline as it is known here, seconds.
_TRANSIT_SECONDS: Final = 0.1


class Priority(IntEnum):
    """Who goes first when work waits: the lower value."""

    INTERACTIVE = 0
    BATCH = 1
    SHADOW = 2


@dataclass(frozen=True, slots=True, order=True)
class Deadline:
    """A point in time on the monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Self:
        """The deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds until it passes; 0 once it has."""
        return max(0.0, self.at - time.monotonic())

    def passed(self) -> bool:
        """Whether it has passed."""
        return time.monotonic() >= self.at

    def ran_out(self) -> bool:
        """Whether a call that is cancelled now is so for want of time, not by its caller's will."""
        return self.left() <= _TRANSIT_SECONDS


@dataclass(frozen=True, slots=True)
class Call:
    """One call as every layer below the door sees it."""

    deadline: Deadline
    request_id: str
    caller: str = ""
    lane: str = STABLE  # the set of model versions it meets
    asked_lane: str = ""  # the lane its caller named, if any
    priority: Priority = Priority.INTERACTIVE
    trace: TraceContext = field(default_factory=TraceContext)

    def within(self, deadline: Deadline) -> "Call":
        """The same call with no more time than until that deadline."""
        return replace(self, deadline=min(self.deadline, deadline))

    def under(self, trace: TraceContext) -> "Call":
        """The same call with spans made below that context."""
        return replace(self, trace=trace)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What the next hop needs to build this call again, as gRPC metadata."""
        carrier = {
            REQUEST_ID_KEY: self.request_id,
            LANE_KEY: self.lane,
            PRIORITY_KEY: self.priority.name.lower(),
        }
        propagate.inject(carrier, context=self.trace)
        return tuple(carrier.items())


def call_from_metadata(
    metadata: Iterable[tuple[str, str | bytes]], deadline: Deadline, caller: str
) -> Call:
    """Builds the call from what came with it; what is missing or malformed gets its default."""
    given: Mapping[str, str] = {
        key.lower(): value for key, value in metadata if isinstance(value, str)
    }
    asked_lane = valid_id(given.get(LANE_KEY, ""))
    return Call(
        deadline=deadline,
        request_id=valid_id(given.get(REQUEST_ID_KEY, "")) or new_request_id(),
        caller=caller,
        lane=asked_lane or STABLE,
        asked_lane=asked_lane,
        priority=_priority(given.get(PRIORITY_KEY, "")),
        trace=propagate.extract(given, context=TraceContext()),
    )


def new_request_id() -> str:
    """A fresh id: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def valid_id(text: str) -> str:
    """The text if it can serve as an id (printable ASCII, at most 128 characters), else ''."""
    if len(text) <= MAX_ID_CHARACTERS and text.isascii() and text.isprintable():
        return text
    return ""


def _priority(name: str) -> Priority:
    try:
        return Priority[name.upper()]
    except KeyError:
        return Priority.INTERACTIVE


_current: ContextVar[Call] = ContextVar("call")


def current_call() -> Call:
    """The call being answered; LookupError outside of one."""
    return _current.get()


@contextmanager
def answering(call: Call) -> Iterator[None]:
    """Makes it the current call within the block."""
    token = _current.set(call)
    try:
        yield
    finally:
        _current.reset(token)
