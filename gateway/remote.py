"""RemoteBackend: a service in another process, over a channel."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.rpc import status_pb2

from chassis.call import Call
from chassis.errors import DeadlineExceeded, Internal, NotReady, TrilensError
from chassis.images import Pixels
from chassis.interceptors import STATUS_KEY
from chassis.options import Options
from gateway.outcomes import (
    Answered,
    BackendUnreachable,
    Failure,
    failure,
    failure_of_status,
)
from trilens import channel
from trilens.v1 import (
    captioner_pb2,
    captioner_pb2_grpc,
    classifier_pb2,
    classifier_pb2_grpc,
    detector_pb2,
    detector_pb2_grpc,
    image_pb2,
    model_pb2,
    model_pb2_grpc,
)

logger = logging.getLogger(__name__)

_DESCRIBE_SECONDS: Final = 1.0

# A retry is for meeting another replica than the one that just left. Where there is none, the
# feature's failure should be known at once: the others' answer waits for it.
_SERVICE_CONFIG: Final = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.02s",
                    "maxBackoff": "0.1s",
                    "backoffMultiplier": 3,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
        "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
    }
)
_CHANNEL_OPTIONS: Final = tuple(
    {
        **dict(channel.options()),
        "grpc.service_config": _SERVICE_CONFIG,
        # A service that restarts is back within a second or two of its port being open again.
        "grpc.initial_reconnect_backoff_ms": 200,
        "grpc.max_reconnect_backoff_ms": 2_000,
        # Of several replicas, one that is frozen or vanished is asked for this long at most.
        "grpc.keepalive_time_ms": 10_000,
        "grpc.keepalive_timeout_ms": 5_000,
    }.items()
)


@dataclass(frozen=True, slots=True)
class _Method:
    """A task's RPC: how it is asked and where its result stands."""

    stub: Any
    name: str
    request: Any
    result: str


_METHODS: Final[Mapping[str, _Method]] = {
    "classification": _Method(
        classifier_pb2_grpc.ClassifierServiceStub,
        "ClassifyImage",
        classifier_pb2.ClassifyImageRequest,
        "classification",
    ),
    "caption": _Method(
        captioner_pb2_grpc.CaptionerServiceStub,
        "CaptionImage",
        captioner_pb2.CaptionImageRequest,
        "caption",
    ),
    "detection": _Method(
        detector_pb2_grpc.DetectorServiceStub,
        "DetectObjects",
        detector_pb2.DetectObjectsRequest,
        "detection",
    ),
}


class _Connection:
    """A channel to the service; made where the event loop runs, as gRPC requires."""

    def __init__(self, target: str, method: _Method) -> None:
        self.channel = grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS)
        self.ask = getattr(method.stub(self.channel), method.name)
        self.get_model = model_pb2_grpc.ModelServiceStub(self.channel).GetModel


class RemoteBackend:
    """A service in another process."""

    def __init__(self, feature: str, task: str, target: str) -> None:
        self._feature = feature
        self._method = _METHODS[task]
        self._target = target
        self._connection: _Connection | None = None
        self._model: model_pb2.Model | None = None
        self._learning: asyncio.Task[None] | None = None

    async def answer(self, pixels: Pixels, options: Options, call: Call) -> Answered | Failure:
        """What the service answers, or what kept it from answering."""
        if self._connection is None:
            return failure(self._feature, NotReady("the gateway starts or stops"))
        request = self._method.request(image=_message(pixels), options=options)
        try:
            response = await self._connection.ask(
                request, timeout=call.deadline.left(), metadata=call.metadata()
            )
        except grpc.aio.AioRpcError as error:
            return self._failure(error)
        if self._model is None or self._model.ref.digest != response.model.digest:
            self._learn()
        return Answered(getattr(response, self._method.result), response.model, response.timings)

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
        self._connection = _Connection(self._target, self._method)
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
            await connection.channel.close()

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

    async def _ask_for_model(self, metadata: tuple[tuple[str, str], ...], seconds: float) -> None:
        if self._connection is None:
            raise NotReady("the gateway starts or stops")
        answer = await self._connection.get_model(
            model_pb2.GetModelRequest(),
            timeout=min(seconds, _DESCRIBE_SECONDS),
            metadata=metadata,
        )
        self._model = answer.model

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


def _message(pixels: Pixels) -> image_pb2.Image:
    return image_pb2.Image(
        pixels=image_pb2.PixelBuffer(
            width=pixels.width, height=pixels.height, rgb=pixels.array.tobytes()
        )
    )
