"""A call's time is a budget: what waits on others keeps some back, to answer before it is over."""

from typing import Final

from chassis.call import Call, Deadline

# This share of what is left, at most so many seconds.
_RESERVE_SHARE: Final = 0.2
_MAX_RESERVE_SECONDS: Final = 0.3


def short_of(call: Call) -> Call:
    """The same call with a deadline that leaves time to put an answer together and send it."""
    left = call.deadline.left()
    return call.within(Deadline.after(left - min(_RESERVE_SHARE * left, _MAX_RESERVE_SECONDS)))
