"""Peers: what every gateway sees of the demand, asked of each behind their common name."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Final

import grpc

from gateway.addresses import Name
from gateway.externalscaler import externalscaler_pb2 as pb
from gateway.externalscaler import externalscaler_pb2_grpc as rpc

logger = logging.getLogger(__name__)

OWN: Final = "own"  # the metric that a gateway answers with what it alone sees
PHOTOS: Final = "photos"
IDLE_SECONDS: Final = "idle_seconds"
_ASK_SECONDS: Final = 1.0
_NAME: Final = ""  # the name itself, among those that do not answer


@dataclass(frozen=True, slots=True)
class Seen:
    """What one gateway sees of the demand for a track of a feature."""

    photos: float  # under way, on average
    last: float  # when the last one was; monotonic seconds, -inf for never

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last photo."""
        return time.monotonic() - self.last


class Peers:
    """The gateways behind a name, this one among them."""

    def __init__(self, name: Name) -> None:
        self._name = name
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._seen: dict[tuple[str, str, str], Seen] = {}
        self._silent: set[str] = set()  # addresses, and the name, that were said not to answer

    async def seen(self, feature: str, track: str) -> Sequence[Seen]:
        """What each sees; of one that does not answer, what it saw last."""
        await self._look()
        request = pb.GetMetricsRequest(
            scaledObjectRef={"scalerMetadata": {"feature": feature, "track": track}},
            metricName=OWN,
        )
        # Begun here and now: while they last, somebody else who looks may forget a gateway.
        asked = {
            (address, feature, track): rpc.ExternalScalerStub(channel).GetMetrics(
                request, timeout=_ASK_SECONDS
            )
            for address, channel in self._channels.items()
        }
        return await asyncio.gather(*(self._told(key, answer) for key, answer in asked.items()))

    async def close(self) -> None:
        """Ends the connections."""
        self._forget(list(self._channels))
        if self._leaving:
            await asyncio.wait(self._leaving)

    async def _look(self) -> None:
        try:
            addresses = await self._name.addresses()
        except OSError as error:
            self._says_nothing(_NAME, f"the gateways stay as known: {error}")
            return
        self._silent.discard(_NAME)
        self._forget([one for one in self._channels if one not in addresses])
        for one in addresses - self._channels.keys():
            self._channels[one] = grpc.aio.insecure_channel(one)

    async def _told(
        self, key: tuple[str, str, str], asked: Awaitable[pb.GetMetricsResponse]
    ) -> Seen:
        try:
            answer = await asked
        except grpc.aio.AioRpcError as error:
            what = f"the gateway at {key[0]} does not tell what it sees: {error.details()}"
            self._says_nothing(key[0], what)
            return self._seen.get(key, Seen(0.0, -math.inf))
        self._silent.discard(key[0])
        values = {one.metricName: one.metricValueFloat for one in answer.metricValues}
        seen = Seen(values[PHOTOS], time.monotonic() - values[IDLE_SECONDS])
        if key[0] in self._channels:
            self._seen[key] = seen
        return seen

    def _says_nothing(self, who: str, what: str) -> None:
        """Says so once: it is asked again and again."""
        if who not in self._silent:
            self._silent.add(who)
            logger.warning("%s", what)

    def _forget(self, addresses: Sequence[str]) -> None:
        self._seen = {key: seen for key, seen in self._seen.items() if key[0] not in addresses}
        self._silent.difference_update(addresses)
        for one in addresses:
            # Not before those who ask it at this moment have heard: they would be cancelled.
            leaving = asyncio.create_task(self._channels.pop(one).close(_ASK_SECONDS))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)
