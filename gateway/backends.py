"""Backends: one service as the gateway sees it; here those that need no channel."""

from typing import Any, Protocol

from chassis.call import Call
from chassis.errors import TrilensError
from chassis.images import Pixels
from chassis.options import Options
from gateway.outcomes import Answered, Failure, FeatureOff, failure
from trilens.v1 import model_pb2

# A photo's longest side for a service that has not told its own, yet or at all.
_USUAL_SIDE = 640


class Backend(Protocol):
    """One feature's service."""

    async def answer(self, pixels: Pixels, options: Options, call: Call) -> Answered | Failure:
        """The feature's outcome within the call's deadline; raises nothing of the service's own."""

    def model(self) -> model_pb2.Model | None:
        """The service's model as last heard; None if it was never heard of."""

    def usable(self, version: str) -> bool:
        """Whether the service is ready, as far as is known here, with that version of its model."""

    async def describe(self, call: Call) -> model_pb2.Model | None:
        """The service's model, asked anew; None if it cannot be asked."""

    async def start(self) -> bool:
        """Begins; False if this process cannot serve without it and it will not work."""

    async def stop(self) -> None:
        """Gives up what it holds."""


def max_side(backend: Backend) -> int:
    """Longest side to send to the backend, in pixels."""
    model = backend.model()
    return (model.max_side if model is not None else 0) or _USUAL_SIDE


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

    def __init__(self, feature: str, service: HostedService) -> None:
        self._feature = feature
        self._service = service

    async def answer(self, pixels: Pixels, options: Options, call: Call) -> Answered | Failure:
        """What the service answers; its errors as the outcome they are over a channel, too."""
        try:
            given = await self._service.answer(pixels, options, call)
        except TrilensError as error:
            return failure(self._feature, error)
        return Answered(given.result, given.model, given.timings)

    def model(self) -> model_pb2.Model | None:
        """The loaded model, or None until then."""
        try:
            return self._service.model()
        except TrilensError:
            return None

    def usable(self, version: str) -> bool:
        """Whether the loaded model is of that version."""
        model = self.model()
        return model is not None and model.ref.version == version

    async def describe(self, _: Call) -> model_pb2.Model | None:
        """The same."""
        return self.model()

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
        return failure(self._feature, FeatureOff(f"{self._feature} is switched off here"))

    def model(self) -> model_pb2.Model | None:
        """None."""
        return None

    def usable(self, _: str) -> bool:
        """Yes: a feature that nobody gets keeps no version of the others from being used."""
        return True

    async def describe(self, _: Call) -> model_pb2.Model | None:
        """None."""
        return None

    async def start(self) -> bool:
        """Nothing to begin."""
        return True

    async def stop(self) -> None:
        """Nothing to give up."""
