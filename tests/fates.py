"""Deployments where every feature meets the fate in its name: "objects-failed", "captions-ok"."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc

from chassis.compute import ComputePool
from chassis.server import serving
from gateway.app import GatewayApp
from gateway.settings import FeatureSettings, GatewaySettings
from services.app import ModelApp
from tests.fakes import FEATURES, FakeModel
from tests.harness import LOOPBACK, PHOTOS, model_app, server_settings
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc

PHOTO = (PHOTOS / "astronaut_small.png").read_bytes()

OK, FAILED, TIMED_OUT, SHED = "ok", "failed", "timed_out", "shed"
FATES = (OK, FAILED, TIMED_OUT, SHED)
CONFIDENTIAL = "weights at /mnt/x are damaged"
Asked = asyncio.Task[pb.AnalyzeImageResponse]
TASKS = {feature: task for task, feature in FEATURES.items()}


def named(feature: str, fate: str) -> str:
    """The name of the feature with that fate."""
    return f"{feature}-{fate}"


class Fates:
    """Models by fate; those that are never to answer do so once released."""

    def __init__(self) -> None:
        self._gate = threading.Event()
        self.models: dict[str, FakeModel] = {}

    def app(self, name: str, pool: ComputePool | None = None) -> ModelApp[Any, Any, Any]:
        """The service of the feature of that name."""
        feature, fate = name.split("-")
        model = FakeModel(
            TASKS[feature],
            gate=self._gate if fate in (TIMED_OUT, SHED) else None,
            broken=RuntimeError(CONFIDENTIAL) if fate == FAILED else None,
        )
        self.models[name] = model
        return model_app(model, slots=1, pool=pool, max_waiting=1 if fate == SHED else 1000)

    def release(self) -> None:
        """Lets go of every thread that hangs."""
        self._gate.set()

    async def fill(self, channel: grpc.aio.Channel) -> tuple[Asked, Asked]:
        """Fills the queue of every feature that is to be shed: one call runs, another one waits."""
        shed = [name for name in self.models if name.endswith(SHED)]
        running = asyncio.create_task(ask(channel, shed, seconds=60))
        for name in shed:
            await asyncio.to_thread(self.models[name].began.wait)
        # Of two more calls one is refused: then the other one waits.
        others = [asyncio.create_task(ask(channel, shed, seconds=60)) for _ in range(2)]
        (refused,), (waiting,) = await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
        error = refused.exception()
        assert isinstance(error, grpc.aio.AioRpcError)
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        return running, waiting

    @asynccontextmanager
    async def full(self, channel: grpc.aio.Channel) -> AsyncIterator[None]:
        """The queue of every feature that is to be shed is full within the block."""
        asked = await self.fill(channel)
        try:
            yield
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)


async def ask(
    channel: grpc.aio.Channel,
    features: list[str],
    *,
    required: tuple[str, ...] = (),
    seconds: float | None = 5,
    **changes: Any,
) -> pb.AnalyzeImageResponse:
    """One call for those features."""
    request = pb.AnalyzeImageRequest(
        image={"content": PHOTO},
        features=[{"feature": name, "required": name in required} for name in features],
        **changes,
    )
    return await rpc.ImageAnalysisServiceStub(channel).AnalyzeImage(request, timeout=seconds)


def gateway(places: Mapping[str, str | None], fates: Fates, **settings: Any) -> GatewayApp:
    """A gateway by feature: a service's target, or None for a model that it hosts itself."""
    features = {
        name: FeatureSettings(task=TASKS[name.split("-")[0]], target=target, model=None)
        if target
        else FeatureSettings(task=TASKS[name.split("-")[0]], model=name)
        for name, target in places.items()
    }

    def host(feature: FeatureSettings, pool: ComputePool) -> ModelApp[Any, Any, Any]:
        return fates.app(feature.model, pool)

    return GatewayApp(
        GatewaySettings(features=features, **settings), server_settings(threads=1), host
    )


@asynccontextmanager
async def services(names: list[str], fates: Fates) -> AsyncIterator[dict[str, str]]:
    """Services in this process, each with a server of its own; their targets."""
    async with AsyncExitStack() as stack:
        targets = {}
        for name in names:
            ports = await stack.enter_async_context(serving(server_settings(), fates.app(name)))
            targets[name] = f"{LOOPBACK}:{ports.grpc}"
        yield targets
