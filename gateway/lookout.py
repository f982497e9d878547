"""Lookout: has a name looked up every second, and at once for calls that find nobody."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Final

from gateway.addresses import Name

logger = logging.getLogger(__name__)

_LOOK_UP_SECONDS: Final = 1.0
# A call that finds nobody has the name looked up again, unless that was done just before. It waits
# for that, but not long: the other features' answers wait with it.
_JUST_NOW_SECONDS: Final = 0.1
_LOOK_AGAIN_SECONDS: Final = 0.25


class Lookout:
    """Tells, after every look, the addresses behind a name; None if the name servers do not."""

    def __init__(self, name: Name, seen: Callable[[frozenset[str] | None], None]) -> None:
        self._name = name
        self._seen = seen
        self.told = False  # whether the name servers have said who is there, or that nobody is
        self._failing = False
        self._looked = asyncio.Event()  # set while nobody waits to hear who is there
        self._looked_at = 0.0
        self._look_now = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look."""
        self._looking = asyncio.create_task(self._look_on())

    async def stop(self) -> None:
        """Looks no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait((self._looking,))

    async def look_again(self, seconds: float) -> None:
        """Waits for a look that is not older than just now, at most that long."""
        if time.monotonic() - self._looked_at >= _JUST_NOW_SECONDS:
            self._looked.clear()
            self._look_now.set()
        await _within(min(seconds, _LOOK_AGAIN_SECONDS), self._looked)

    async def _look_on(self) -> None:
        while True:
            self._look_now.clear()
            await self._look()
            self._looked_at = time.monotonic()
            self._looked.set()
            await _within(_LOOK_UP_SECONDS, self._look_now)

    async def _look(self) -> None:
        try:
            self._seen(await self._addresses())
        except Exception:
            # Whatever it is: a gateway that looks no more would miss every pod to come.
            logger.exception("%s: unhandled error in looking for its replicas", self._name.host)

    async def _addresses(self) -> frozenset[str] | None:
        try:
            found = await self._name.addresses()
        except OSError as error:
            if not self._failing:
                logger.warning("%s: its replicas stay as known: %s", self._name.host, error)
            self._failing = True
            return None
        self._failing = False
        self.told = True
        return found


async def _within(seconds: float, event: asyncio.Event) -> None:
    # Not wait_for: of Python 3.11's, a cancellation that comes with the event is lost.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
