"""Pulse: tells a backend that takes its time from one that has fallen silent."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateway.outcomes import Answered, Failure
from trilens.v1 import analysis_pb2 as pb

_SMOOTHING: Final = 0.2  # share of the newest answer in the running mean of seconds per photo


class Pulse:
    """A backend's signs of life: any answer or failure of its own."""

    def __init__(self, patience: float) -> None:
        self.patience = patience  # seconds without a sign, while asked, that count as silence
        self.pace = 0.0  # seconds its model computes for a photo; running mean over its answers
        self._asks = 0
        self._since: float | None = None  # the first ask after the last sign; monotonic seconds

    @property
    def silent(self) -> bool:
        """Whether it has been asked for that long and given no sign; so until it gives one."""
        return self._since is not None and time.monotonic() - self._since > self.patience

    @contextmanager
    def asking(self) -> Iterator[None]:
        """The time during which one ask is under way."""
        self._asks += 1
        if self._since is None:
            self._since = time.monotonic()
        try:
            yield
        finally:
            self._asks -= 1
            if self._asks == 0 and not self.silent:
                self._since = None  # given up too soon to tell

    def heard(self, end: Answered | Failure) -> None:
        """Notes how an ask ended; running out of time is no sign of life."""
        if isinstance(end, Answered):
            newest = end.timings.infer_seconds / max(1, end.timings.batch_size)
            self.pace += (_SMOOTHING if self.pace else 1.0) * (newest - self.pace)
        if isinstance(end, Answered) or end.state != pb.STATE_TIMED_OUT:
            self._since = time.monotonic() if self._asks > 1 else None
