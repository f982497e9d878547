"""Backends: one service as the gateway sees it, over a channel or hosted in this process."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import grpc
from google.rpc import status_pb2

from chassis.call import Call
from chassis.errors import DeadlineExceeded, Internal, TrilensError
from chassis.images import Pixels
from chassis.interceptors import STATUS_KEY
from chassis.options import Options
from gateway.outcomes import (
    Answered,
    BackendUnreachable,
    Failure,
    FeatureOff,
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

# A photo's longest side for a service that has not told its own yet.
_USUAL_SIDE: Final = 640
_DESCRIBE_SECONDS: Final = 1.0


class Backend(Protocol):
    """One feature's service."""

    async def answer(self, pixels: Pixels, options: Options, call: Call) -> Answered | Failure:
        """The feature's outcome within the call's deadline; raises nothing of the service's own."""

    def model(self) -> model_pb2.Model | None:
        """The service's model as last heard; None if it was never heard of."""

    async def start(self) -> bool:
        """Begins; False if this process cannot serve without it and it will not work."""

    async def stop(self) -> None:
        """Gives up what it holds."""


def max_side(backend: Backend) -> int:
    """Longest side to send to the backend, in pixels."""
    model = backend.model()
    return _USUAL_SIDE if model is None else model.max_side


class HostedService(Protocol):
    """What a hosted backend calls: a service's app, of which the gateway knows only this."""

    async def start(self) -> bool:
        """Loads the model."""

    async def stop(self) -> None:
        """Closes the model."""

    def model(self) -> model_pb2.Model:
        """The model; raises NotReady until it is loaded."""

    async def answer(self, pixels: Pixels, options: Any, call: Call) -> Any:
        """The answer: result, model and timings."""


class HostedBackend:
    """A service in this process: called directly, no socket between."""

    def __init__(self, service: HostedService) -> None:
        self._service = service

    async def answer(self, pixels: Pixels, options: Options, call: Call) -> Answered | Failure:
        """What the service answers; its errors as the outcome they are over a channel, too."""
        try:
            given = await self._service.answer(pixels, options, call)
        except TrilensError as error:
            return failure(error)
        return Answered(given.result, given.model, given.timings)

    def model(self) -> model_pb2.Model | None:
        """The loaded model, or None until then."""
        try:
            return self._service.model()
        except TrilensError:
            return None

    async def start(self) -> bool:
        """Loads the model."""
        return await self._service.start()

    async def stop(self) -> None:
        """Closes the model."""
        await self._service.stop()


class OffBackend:
    """A feature that is switched off: SKIPPED, and nobody is asked."""

    def __init__(self, feature: str) -> None:
        self._feature = feature

    async def answer(self, _: Pixels, __: Options, ___: Call) -> Answered | Failure:
        """SKIPPED."""
        return failure(FeatureOff(f"{self._feature} is switched off for this deployment"))

    def model(self) -> model_pb2.Model | None:
        """None."""
        return None

    async def start(self) -> bool:
        """Nothing to begin."""
        return True

    async def stop(self) -> None:
        """Nothing to give up."""


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


class RemoteBackend:
    """A service in another process."""

    def __init__(self, feature: str, task: str, target: str) -> None:
        self._feature = feature
        self._method = _METHODS[task]
        self._channel = grpc.aio.insecure_channel(target, options=channel.options())
        self._ask = getattr(self._method.stub(self._channel), self._method.name)
        self._models = model_pb2_grpc.ModelServiceStub(self._channel)
        self._model: model_pb2.Model | None = None
        self._asking: asyncio.Task[None] | None = None

    async def answer(self, pixels: Pixels, options: Options, call: Call) -> Answered | Failure:
        """What the service answers, or what kept it from answering."""
        request = self._method.request(image=_message(pixels), options=options)
        try:
            response = await self._ask(
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

    async def start(self) -> bool:
        """Asks for the model's description in the background: readiness never depends on it."""
        self._learn()
        return True

    async def stop(self) -> None:
        """Closes the channel."""
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking
        await self._channel.close()

    def _learn(self) -> None:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._describe())

    async def _describe(self) -> None:
        while True:
            try:
                answer = await self._models.GetModel(
                    model_pb2.GetModelRequest(), timeout=_DESCRIBE_SECONDS
                )
            except grpc.aio.AioRpcError as error:
                logger.debug("%s does not describe itself yet: %s", self._feature, error.details())
                await asyncio.sleep(_DESCRIBE_SECONDS)
            else:
                self._model = answer.model
                return

    def _failure(self, error: grpc.aio.AioRpcError) -> Failure:
        for key, value in error.trailing_metadata() or ():
            if key == STATUS_KEY and isinstance(value, bytes):
                return failure_of_status(status_pb2.Status.FromString(value), error.code())
        logger.warning("%s: %s: %s", self._feature, error.code().name, error.details())
        return failure(_told(self._feature, error.code()))


def _told(feature: str, code: grpc.StatusCode) -> TrilensError:
    """What a caller may know of an error that is gRPC's own: no addresses, no internals."""
    if code is grpc.StatusCode.UNAVAILABLE:
        return BackendUnreachable(f"no service answers for {feature}")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceeded(f"{feature} did not answer in time")
    return Internal()


def _message(pixels: Pixels) -> image_pb2.Image:
    return image_pb2.Image(
        pixels=image_pb2.PixelBuffer(
            width=pixels.width, height=pixels.height, rgb=pixels.array.tobytes()
        )
    )
