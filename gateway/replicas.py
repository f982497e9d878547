"""Replicas: the processes behind one target; each call goes to the one with the fewest under way.

Behind `dns:///host:port` the gateway finds every replica itself and holds a connection to each. Any
other target is one connection, and gRPC's own to balance.
"""

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from chassis.call import Call
from gateway.addresses import Name
from gateway.connection import Connection, Route, to_replica, to_service
from gateway.lookout import Lookout
from gateway.replica import Replica
from gateway.tasks import Task
from trilens.v1 import model_pb2

logger = logging.getLogger(__name__)

_MEET_EVERY_SECONDS: Final = 0.02
# A replica counts as silent after this many times what answers usually take, and never sooner.
_SILENT_TIMES: Final = 5.0
_SILENT_SECONDS: Final = 1.0
_SMOOTHING: Final = 0.1  # share of the newest answer in the running mean of seconds


class NoReplica(Exception):
    """Nobody is there to be asked."""


class Replicas:
    """The processes of one service; with a version, only those that describe themselves so."""

    def __init__(self, task: Task, target: str, version: str | None = None) -> None:
        self._task = task
        self._target = target
        self._version = version
        name = Name.of(target)
        self._lookout = None if name is None else Lookout(name, self._seen)
        self._known: dict[str, Replica] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._model: model_pb2.Model | None = None
        self._usual = 0.0  # seconds that an answer takes; running mean

    @property
    def found(self) -> bool:
        """Whether each is known apart from the others; else asking again is gRPC's business."""
        return self._lookout is not None

    def start(self) -> None:
        """Begins to look for them."""
        if self._lookout is None:
            self._hold(self._target, to_service(self._target))
        else:
            self._lookout.start()

    async def met(self, seconds: float) -> bool:
        """Whether one is ready; waits at most that long, and only while that may yet come true."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._may_meet():  # noqa: ASYNC110 - nobody tells of it
                    await asyncio.sleep(_MEET_EVERY_SECONDS)
        return any(one.ready for one in self._known.values())

    async def stop(self) -> None:
        """Lets the calls under way end, then closes every connection."""
        if self._lookout is not None:
            await self._lookout.stop()
        self._dismiss(list(self._known))
        if self._leaving:
            await asyncio.wait(self._leaving)

    async def choose(self, call: Call, tried: Iterable[Replica] = ()) -> Replica:
        """The one to ask; one of those tried only if there is no other. Raises NoReplica."""
        if self._lookout is not None and all(one.away for one in self._known.values()):
            await self._lookout.look_again(call.deadline.left())
        silent = max(_SILENT_SECONDS, _SILENT_TIMES * self._usual)

        def reluctance(one: Replica) -> tuple[bool, bool, bool, float, int, float]:
            again, later = one in tried, not one.ready or one.refuses
            silence = max(0.0, one.unheard - silent)
            chance = random.random()  # noqa: S311 - it balances, it guards nothing
            return one.away, again, later, silence, one.in_flight, chance

        chosen = min(self._candidates(), key=reluctance, default=None)
        if chosen is None:
            raise NoReplica
        return chosen

    def others(self, tried: Iterable[Replica]) -> bool:
        """Whether there is one that may answer and was not tried."""
        return not all(one.away or one in tried for one in self._candidates())

    def took(self, seconds: float) -> None:
        """Notes how long an answer took."""
        self._usual += _SMOOTHING * (seconds - self._usual)

    def usable(self, version: str) -> bool:
        """Whether one that asks for work describes itself with that version.

        One whose connection is just renewed does, too: its callers must not change lanes meanwhile.
        """
        # Of a copy: metrics are read on a thread of their own.
        known = list(self._known.values())
        return any(_serves(one, version) and not one.away for one in known)

    def model(self) -> model_pb2.Model | None:
        """The model that most of those that ask for work describe; while none does, the last."""
        told = [one.model for one in self._candidates() if one.model is not None and one.ready]
        if told:
            ((most, _),) = Counter(model.ref.digest for model in told).most_common(1)
            self._model = next(model for model in told if model.ref.digest == most)
        return self._model

    def _may_meet(self) -> bool:
        if self._lookout is not None and not self._lookout.told:
            return True
        known = self._known.values()
        return not (all(one.away for one in known) or any(one.ready for one in known))

    def _candidates(self) -> Sequence[Replica]:
        known = list(self._known.values())
        if self._version is None:
            return known
        return [one for one in known if _serves(one, self._version)]

    def _seen(self, addresses: frozenset[str] | None) -> None:
        if addresses is not None:
            self._take(addresses)
        for one in self._known.values():
            # One that comes back may serve another model; no call goes to a silent one, and its
            # answer to this is what brings it back.
            if not one.ready or one.unheard > _SILENT_SECONDS:
                one.learn()

    def _take(self, addresses: frozenset[str]) -> None:
        """Holds connections to those addresses and to no others.

        With none at all the ready ones stay: the last of a service is being replaced, or its name.
        """
        gone = [address for address in self._known if address not in addresses]
        if not addresses:
            gone = [address for address in gone if not self._known[address].ready]
        self._dismiss(gone)
        came = addresses - self._known.keys()
        for address in came:
            self._hold(address, to_replica(address, self._target, self._task.service))
        if came or gone:
            logger.info("%s: %d replicas", self._target, len(self._known))

    def _hold(self, address: str, route: Route) -> None:
        self._known[address] = Replica(address, Connection(self._task, route))

    def _dismiss(self, addresses: Iterable[str]) -> None:
        for address in addresses:
            leaving = asyncio.create_task(self._known.pop(address).close())
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)


def _serves(replica: Replica, version: str) -> bool:
    return replica.model is not None and replica.model.ref.version == version
