"""Demand: how much a feature's services are asked for, as this gateway sees it."""

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

# A call lasts for a moment and is looked at rarely: what counts is the mean over this time.
_MEMORY_SECONDS: Final = 10.0


class Demand:
    """The photos that one track of a feature is asked for, whether or not anybody answers."""

    def __init__(self) -> None:
        self._under_way = 0
        self._mean = 0.0
        self._changed = time.monotonic()
        self._last_end = -math.inf

    @property
    def mean(self) -> float:
        """Photos under way; running mean over the last ten seconds."""
        self._settle()
        return self._mean

    @property
    def idle_seconds(self) -> float:
        """Seconds since anything was asked for; 0 while something is, infinite if nothing was."""
        return 0.0 if self._under_way else time.monotonic() - self._last_end

    @contextmanager
    def asking(self) -> Iterator[None]:
        """The time during which one photo is under way."""
        self._settle()
        self._under_way += 1
        try:
            yield
        finally:
            self._settle()
            self._under_way -= 1
            self._last_end = time.monotonic()

    def _settle(self) -> None:
        now = time.monotonic()
        kept = math.exp((self._changed - now) / _MEMORY_SECONDS)
        self._mean = self._under_way + (self._mean - self._under_way) * kept
        self._changed = now


class Demands:
    """The demand for every track of every feature."""

    def __init__(self, features: Iterable[str]) -> None:
        self.features = frozenset(features)
        self._demands: dict[tuple[str, str], Demand] = {}

    def of(self, feature: str, track: str) -> Demand:
        """That of a track, from its first sight on."""
        return self._demands.setdefault((feature, track), Demand())
