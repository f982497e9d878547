"""Replica: one process of a service: its connection, its calls, the model it described."""

import asyncio
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import grpc

from chassis.call import Call
from gateway.connection import Connection, Metadata
from gateway.outcomes import Answered
from trilens.v1 import model_pb2

logger = logging.getLogger(__name__)

_DESCRIBE_SECONDS: Final = 1.0
_SILENT_SECONDS: Final = 10.0  # undescribed, until the log asks whether the address is right
# UNAVAILABLE: nobody did the work. CANCELLED, where the caller did not cancel: what a server that
# stops says to calls that reach it too late. Whatever was done before, calls are safe to repeat.
TURNED_AWAY: Final = frozenset((grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED))
_REFUSED: Final = TURNED_AWAY | {grpc.StatusCode.RESOURCE_EXHAUSTED}
_JUST_NOW_SECONDS: Final = 1.0
_AWAY: Final = frozenset(
    (grpc.ChannelConnectivity.TRANSIENT_FAILURE, grpc.ChannelConnectivity.SHUTDOWN)
)


class Replica:
    """One process of a service, as this gateway sees it."""

    def __init__(self, address: str, connection: Connection) -> None:
        self._address = address
        self.in_flight = 0
        self._connection = connection
        self._model: model_pb2.Model | None = None
        self._learning = asyncio.create_task(self._learn())
        self._unheard_since: float | None = None  # the first ask after the last sign of life
        self._refused = -math.inf  # when it last refused a call
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def ready(self) -> bool:
        """Whether it asks for work."""
        return self._connection.state is grpc.ChannelConnectivity.READY

    @property
    def away(self) -> bool:
        """Whether a call would fail at once.

        Neither ready nor away is one that is being connected to, for the first time or, as servers
        end connections of some age, anew.
        """
        return self._connection.state in _AWAY

    @property
    def unheard(self) -> float:
        """Seconds for which it has been asked and given no sign of life; 0 once it gives one."""
        return 0.0 if self._unheard_since is None else time.monotonic() - self._unheard_since

    @property
    def refuses(self) -> bool:
        """Whether it has just refused a call, though it may ask for work.

        Little is under way at one that is so quick: it would be sent every call first.
        """
        return time.monotonic() - self._refused < _JUST_NOW_SECONDS

    @property
    def model(self) -> model_pb2.Model | None:
        """The model as it last described it; None until it has."""
        return self._model

    async def ask(self, request: Any, call: Call) -> Answered:
        """Its answer; raises AioRpcError."""
        if self._unheard_since is None:
            self._unheard_since = time.monotonic()
        try:
            with self._asked():
                answered = await self._connection.ask(request, call)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                self._unheard_since = None
            if error.code() in _REFUSED:
                self._refused = time.monotonic()
            raise
        self._unheard_since = None
        if self._model is None or self._model.ref.digest != answered.model.digest:
            self.learn()
        return answered

    async def describe(self, metadata: Metadata, seconds: float) -> model_pb2.Model:
        """The model, asked anew; raises AioRpcError."""
        with self._asked():
            model = await self._connection.model(metadata, min(seconds, _DESCRIBE_SECONDS))
        self._told(model)
        return model

    def learn(self) -> None:
        """Has it describe its model in the background, until it does."""
        if self._learning.done():
            self._learning = asyncio.create_task(self._learn())

    async def close(self) -> None:
        """Ends the connection once its calls have ended; nothing may be asked any more."""
        await self._idle.wait()
        # Not before: a call's answer may have begun it anew.
        self._learning.cancel()
        with suppress(asyncio.CancelledError):
            await self._learning
        await self._connection.close()

    @contextmanager
    def _asked(self) -> Iterator[None]:
        self.in_flight += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.in_flight -= 1
            if self.in_flight == 0:
                self._idle.set()

    async def _learn(self) -> None:
        suspect = time.monotonic() + _SILENT_SECONDS
        while True:
            try:
                self._told(await self._connection.model((), _DESCRIBE_SECONDS, patient=True))
            except grpc.aio.AioRpcError as error:
                logger.debug("%s does not describe itself yet: %s", self._address, error.details())
                if time.monotonic() > suspect:
                    suspect = math.inf  # said once
                    text = "no model at %s for %.0f s; is the address right? %s"
                    logger.warning(text, self._address, _SILENT_SECONDS, error.details())
                if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                    await asyncio.sleep(_DESCRIBE_SECONDS)
            else:
                return

    def _told(self, model: model_pb2.Model) -> None:
        self._model = model
        self._unheard_since = None
