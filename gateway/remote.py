"""RemoteBackend: a service in other processes, over channels."""

import logging
from collections.abc import Mapping
from typing import Any, Final

import grpc
from google.rpc import status_pb2

from chassis.call import CANARY, STABLE, Call
from chassis.errors import DeadlineExceeded, Internal, NotReady, TrilensError
from chassis.images import Pixels
from chassis.interceptors import STATUS_KEY
from chassis.metrics import RETRIES
from chassis.options import Options
from gateway.demand import Demand
from gateway.outcomes import (
    Answered,
    BackendUnreachable,
    Failure,
    failure,
    failure_of_status,
)
from gateway.replicas import NoReplica, Replicas
from gateway.retries import Asking
from gateway.tasks import Task
from trilens.v1 import model_pb2

logger = logging.getLogger(__name__)

# Where the service is there, it is found and connected to in much less; a new pod's network may
# need some time, though, and without it callers would hear that nobody answers.
_MEET_SECONDS: Final = 3.0


class RemoteBackend:
    """A service in other processes; with a version, only those that serve it are asked."""

    def __init__(
        self,
        feature: str,
        task: Task,
        target: str,
        version: str | None = None,
        demand: Demand | None = None,
    ) -> None:
        self._feature = feature
        self._demand = demand or Demand()
        self._task = task
        self._replicas = Replicas(task, target, version)
        track = STABLE if version is None else CANARY
        self._asking = Asking(self._replicas, RETRIES.labels(feature, track))
        self._started = False

    async def answer(self, pixels: Pixels, options: Options, call: Call) -> Answered | Failure:
        """What the service answers, or what kept it from answering."""
        if not self._started:
            return failure(self._feature, NotReady("the gateway starts or stops"))
        request = self._task.request(image=_image(pixels), options=options)
        try:
            with self._demand.asking():
                return await self._asking.ask(request, call)
        except NoReplica:
            return failure(self._feature, _nobody(self._feature))
        except grpc.aio.AioRpcError as error:
            return self._failure(error)

    def model(self) -> model_pb2.Model | None:
        """The model as most of the service's processes describe it."""
        return self._replicas.model()

    def usable(self, version: str) -> bool:
        """Whether a process that is ready serves that version."""
        return self._started and self._replicas.usable(version)

    async def describe(self, call: Call) -> model_pb2.Model | None:
        """The model, if the service tells of it within a second."""
        if not self._started:
            return None
        try:
            replica = await self._replicas.choose(call)
            return await replica.describe(call.metadata(), call.deadline.left())
        except (grpc.aio.AioRpcError, NoReplica):
            return None

    async def start(self) -> bool:
        """Begins to look for the service, and waits a moment for it if it is there.

        Readiness never depends on it: a feature whose service is away is the only one that fails.
        """
        self._replicas.start()
        self._started = True
        if not await self._replicas.met(_MEET_SECONDS):
            logger.info("%s: begins before its service is ready", self._feature)
        return True

    async def stop(self) -> None:
        """Takes no more calls, lets those under way end, then closes every channel."""
        self._started = False
        await self._replicas.stop()

    def _failure(self, error: grpc.aio.AioRpcError) -> Failure:
        logger.debug("%s: %s: %s", self._feature, error.code().name, error.details())
        for key, value in error.trailing_metadata() or ():
            if key == STATUS_KEY and isinstance(value, bytes):
                status = status_pb2.Status.FromString(value)
                return failure_of_status(self._feature, status, error.code())
        return failure(self._feature, _told(self._feature, error))


def _image(pixels: Pixels) -> Mapping[str, Any]:
    # No message: to become part of another one it would be packed and unpacked, all its bytes.
    rgb = pixels.array.tobytes()
    return {"pixels": {"width": pixels.width, "height": pixels.height, "rgb": rgb}}


def _told(feature: str, error: grpc.aio.AioRpcError) -> TrilensError:
    """What a caller may know of an error that is gRPC's own: no addresses, no internals."""
    match error.code():
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return _nobody(feature)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceeded(f"{feature} did not answer in time")
        case code:
            logger.warning("%s: %s: %s", feature, code.name, error.details())
            return Internal()


def _nobody(feature: str) -> BackendUnreachable:
    return BackendUnreachable(f"no service answers for {feature}")
