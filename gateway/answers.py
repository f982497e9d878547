"""Answers: how many photos were answered, how completely, and why the others were not."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from chassis.call import CANARY, STABLE, Call
from chassis.errors import DeadlineExceeded, InvalidRequest, QueueFull
from chassis.metrics import ANSWERS


class Answers:
    """Counts photos by their end; those that nobody could answer, or that were taken back, not."""

    def __init__(self) -> None:
        # Every end from the start: a share of what is not there yet is nothing, and alarms nobody.
        self._ends = {
            (end, lane): ANSWERS.labels(end, lane)
            for end in ("full", "partial", "failed", "shed", "late")
            for lane in (STABLE, CANARY)
        }

    @contextmanager
    def photo(self, call: Call) -> Iterator[None]:
        """Around a photo's analysis: counts it if it ends without an answer."""
        try:
            yield
        except InvalidRequest:
            raise
        except QueueFull:
            self._count("shed", call)
            raise
        except DeadlineExceeded:
            self._count("late", call)
            raise
        except asyncio.CancelledError:
            # gRPC cancels a call whose time is up, perhaps before its line notices.
            if call.deadline.ran_out():
                self._count("late", call)
            raise
        except Exception:
            self._count("failed", call)
            raise

    def answered(self, completeness: str, call: Call) -> None:
        """Counts a photo that was answered, full or partial."""
        self._count(completeness, call)

    def _count(self, end: str, call: Call) -> None:
        self._ends[end, call.lane].inc()
