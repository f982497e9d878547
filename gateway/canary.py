"""CanaryTrack: the canary services of one release, from its first sight until their last call."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from gateway.features import Feature
from gateway.release_document import Canary


class CanaryTrack:
    """The features that a release has canaries for, asked at those; made where the loop runs.

    It may be asked once `usable`; `leave` lets the calls that are on it finish.
    """

    def __init__(self, canaries: Mapping[str, Canary], features: Mapping[str, Feature]) -> None:
        self.features = features
        self._versions = {name: canaries[name].version for name in features}
        self._users = 0
        self._unused = asyncio.Event()
        self._unused.set()
        self._starting = asyncio.create_task(self._start())
        self.left = False

    def usable(self) -> bool:
        """Whether each of the canaries has a ready pod of its version, as seen from here."""
        return (
            bool(self.features)
            and not self.left
            and all(one.backend.usable(self._versions[name]) for name, one in self.features.items())
        )

    @contextmanager
    def used(self) -> Iterator[None]:
        """The time during which a call may ask it, even if it is to leave."""
        self._users += 1
        self._unused.clear()
        try:
            yield
        finally:
            self._users -= 1
            if self._users == 0:
                self._unused.set()

    async def leave(self) -> None:
        """Takes no new calls; closes once those that are on it have ended."""
        self.left = True
        await self._unused.wait()
        self._starting.cancel()  # it may still wait for them
        await asyncio.wait((self._starting,))
        await asyncio.gather(*(one.backend.stop() for one in self.features.values()))

    async def _start(self) -> None:
        await asyncio.gather(*(one.backend.start() for one in self.features.values()))
