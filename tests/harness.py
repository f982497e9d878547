"""Real servers for tests: a gateway and services on free ports, in this process or as children."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.call import Call, Deadline
from chassis.compute import ComputePool
from chassis.decoder import decoder
from chassis.server import App, serving
from chassis.settings import ServerSettings
from gateway.app import GatewayApp
from gateway.settings import FeatureSettings, GatewaySettings
from services.app import ModelApp
from services.captioner import __main__ as captioner
from services.captioner.servicer import CaptionerServicer
from services.classifier import __main__ as classifier
from services.classifier.servicer import ClassifierServicer
from services.detector import __main__ as detector
from services.detector.servicer import DetectorServicer
from services.hosting import ModelHost, ModelSettings
from tests.fakes import FEATURES, FakeExplainer, FakeModel
from trilens.v1 import analysis_pb2, analysis_pb2_grpc, image_pb2

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = ROOT / "tests" / "photos"
LOOPBACK = "127.0.0.1"

_KINDS = {
    "classification": (classifier.KIND, ClassifierServicer),
    "caption": (captioner.KIND, CaptionerServicer),
    "detection": (detector.KIND, DetectorServicer),
}


def a_photo(name: str = "cat.jpg") -> image_pb2.Image:
    """One of the photos, encoded."""
    return image_pb2.Image(content=(PHOTOS / name).read_bytes())


def a_call(seconds: float = 5.0, **changes: Any) -> Call:
    """A call with that much time."""
    return Call(**{"deadline": Deadline.after(seconds), "request_id": "a-request"} | changes)


class LoadedHost(ModelHost[Any]):
    """A host whose model needs no package on disk."""

    def __init__(self, model: FakeModel, pool: ComputePool, settings: ModelSettings) -> None:
        super().__init__(settings, lambda *_: model, pool, model.package.manifest.task)
        self._ready_model = model

    def _prepare(self) -> Any:
        return self._ready_model, self._chosen_sets(self._ready_model.package.manifest)


def model_app(
    model: FakeModel, *, slots: int = 2, pool: ComputePool | None = None, **settings: Any
) -> ModelApp[Any, Any, Any]:
    """A service's app around a fake model."""
    pool = pool or ComputePool(slots, lend_after=0.1)
    task = str(model.package.manifest.task)
    kind, servicer = _KINDS[task]
    host = LoadedHost(model, pool, ModelSettings(model="fake", **settings))
    return ModelApp(kind, host, servicer(host, decoder(pool)), pool)


def gateway_app(
    backends: Mapping[str, FakeModel | str],
    server: ServerSettings | None = None,
    **settings: Any,
) -> GatewayApp:
    """A gateway by task: hosting a fake model, or with the service at a target."""
    features = {
        FEATURES[task]: FeatureSettings(task=task, target=backend)
        if isinstance(backend, str)
        else FeatureSettings(task=task, model="fake")
        for task, backend in backends.items()
    }
    queue = {"max_waiting": settings.get("max_queue", 64)}

    def host(feature: FeatureSettings, pool: ComputePool) -> Any:
        model = backends[feature.task]
        assert isinstance(model, FakeModel)
        return model_app(model, pool=pool, **queue)

    return GatewayApp(
        GatewaySettings(features=features, **settings), server or server_settings(), host
    )


def server_settings(**changes: Any) -> ServerSettings:
    """Free ports on the loopback; tests hang models on purpose, so their cores are lent early."""
    return ServerSettings(
        **{
            "port": 0,
            "health_port": 0,
            "metrics_port": 0,
            "grace": 5,
            "threads": 2,
            "lend_after": 0.1,
        }
        | changes
    )


@asynccontextmanager
async def running(app: App, **changes: Any) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the app, which is ready when the block begins."""
    async with AsyncExitStack() as stack:
        ports = await stack.enter_async_context(serving(server_settings(**changes), app))
        channel = grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.grpc}")
        await stack.enter_async_context(channel)
        await ready(channel)
        yield channel


@asynccontextmanager
async def deployment(place: str, **settings: Any) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a gateway with every feature, "hosted" by it or "remote"."""
    backends: dict[str, FakeModel | str] = {
        task: FakeModel(task, explainer=None if task == "detection" else FakeExplainer())
        for task in FEATURES
    }
    async with AsyncExitStack() as stack:
        if place == "remote":
            for task, model in list(backends.items()):
                served = serving(server_settings(), model_app(model))
                backends[task] = f"{LOOPBACK}:{(await stack.enter_async_context(served)).grpc}"
        channel = await stack.enter_async_context(running(gateway_app(backends, **settings)))
        # Asked once, a gateway knows its services' models.
        front = analysis_pb2_grpc.ImageAnalysisServiceStub(channel)
        await front.GetCapabilities(analysis_pb2.GetCapabilitiesRequest())
        yield channel


async def ready(channel: grpc.aio.Channel, seconds: float = 30) -> None:
    """Waits until the server behind the channel asks for work."""
    request = health_pb2.HealthCheckRequest(service="ready")
    watch = health_pb2_grpc.HealthStub(channel).Watch(request, timeout=seconds, wait_for_ready=True)
    async for answer in watch:
        if answer.status == health_pb2.HealthCheckResponse.SERVING:
            watch.cancel()
            return
