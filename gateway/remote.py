"""RemoteBackend: a service in another process, over a channel."""

import asyncio
import contextlib
import logging
from typing import Final

import grpc
from google.rpc import status_pb2

from chassis.call import Call
from chassis.errors import DeadlineExceeded, Internal, NotReady, TrilensError
from chassis.images import Pixels
from chassis.interceptors import STATUS_KEY
from chassis.options import Options
from gateway.connection import Connection, Metadata
from gateway.outcomes import (
    Answered,
    BackendUnreachable,
    Failure,
    failure,
    failure_of_status,
)
from gateway.tasks import Task
from trilens.v1 import model_pb2

logger = logging.getLogger(__name__)

_DESCRIBE_SECONDS: Final = 1.0


class RemoteBackend:
    """A service in another process."""

    def __init__(self, feature: str, task: Task, target: str) -> None:
        self._feature = feature
        self._task = task
        self._target = target
        self._connection: Connection | None = None
        self._model: model_pb2.Model | None = None
        self._learning: asyncio.Task[None] | None = None

    async def answer(self, pixels: Pixels, options: Options, call: Call) -> Answered | Failure:
        """What the service answers, or what kept it from answering."""
        if self._connection is None:
            return failure(self._feature, NotReady("the gateway starts or stops"))
        try:
            answered = await self._connection.ask(pixels, options, call)
        except grpc.aio.AioRpcError as error:
            return self._failure(error)
        if self._model is None or self._model.ref.digest != answered.model.digest:
            self._learn()
        return answered

    def model(self) -> model_pb2.Model | None:
        """The model as the service last described it."""
        return self._model

    async def describe(self, call: Call) -> model_pb2.Model | None:
        """The model, if the service tells of it within a second."""
        try:
            await self._ask_for_model(call.metadata(), call.deadline.left())
        except (grpc.aio.AioRpcError, NotReady):
            return None
        return self._model

    async def start(self) -> bool:
        """Asks for the model's description in the background: readiness never depends on it."""
        self._connection = Connection(self._task, self._target)
        self._learn()
        return True

    async def stop(self) -> None:
        """Closes the channel."""
        if self._learning is not None:
            self._learning.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._learning
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    def _learn(self) -> None:
        if self._learning is None or self._learning.done():
            self._learning = asyncio.create_task(self._learn_until_told())

    async def _learn_until_told(self) -> None:
        while True:
            try:
                await self._ask_for_model((), _DESCRIBE_SECONDS)
            except grpc.aio.AioRpcError as error:
                logger.debug("%s does not describe itself yet: %s", self._feature, error.details())
                await asyncio.sleep(_DESCRIBE_SECONDS)
            else:
                return

    async def _ask_for_model(self, metadata: Metadata, seconds: float) -> None:
        if self._connection is None:
            raise NotReady("the gateway starts or stops")
        self._model = await self._connection.model(metadata, min(seconds, _DESCRIBE_SECONDS))

    def _failure(self, error: grpc.aio.AioRpcError) -> Failure:
        logger.debug("%s: %s: %s", self._feature, error.code().name, error.details())
        for key, value in error.trailing_metadata() or ():
            if key == STATUS_KEY and isinstance(value, bytes):
                status = status_pb2.Status.FromString(value)
                return failure_of_status(self._feature, status, error.code())
        return failure(self._feature, _told(self._feature, error))


def _told(feature: str, error: grpc.aio.AioRpcError) -> TrilensError:
    """What a caller may know of an error that is gRPC's own: no addresses, no internals."""
    match error.code():
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return BackendUnreachable(f"no service answers for {feature}")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded(f"{feature} did not answer in time")
        case code:
            logger.warning("%s: %s: %s", feature, code.name, error.details())
            return Internal()
