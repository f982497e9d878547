"""A gateway with a release: stable services, canaries that come and go, an API server."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from chassis.metrics import REGISTRY
from chassis.server import serving
from gateway.app import GatewayApp
from gateway.settings import FeatureSettings, GatewaySettings
from tests.api_server import NAMESPACE, FakeApiServer, api_server
from tests.fakes import FEATURES, FakeModel
from tests.harness import LOOPBACK, PHOTOS, model_app, running, server_settings
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc
from trilens.v1 import detector_pb2, detector_pb2_grpc, model_pb2, model_pb2_grpc

PHOTO = (PHOTOS / "astronaut_small.png").read_bytes()
RELEASE, OVERLAY = "trilens-release", "trilens-rollout"
SECONDS = 30  # what a machine that stands still may take; one that does not needs less than five
STABLE_VERSION, CANARY_VERSION = "1.0.0", "1.1.0"


def value(metric: str, **labels: str) -> float:
    """A metric's value; 0 if it was never set."""
    return REGISTRY.get_sample_value(metric, labels) or 0.0


async def until(true: Callable[[], bool]) -> None:
    """Waits for what nobody tells of."""
    async with asyncio.timeout(SECONDS):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Released:
    """A gateway under test; `targets` are those of canaries, by feature."""

    def __init__(self, server: FakeApiServer, channel: grpc.aio.Channel) -> None:
        self.targets: dict[str, str] = {}
        self.app: GatewayApp
        self._server = server
        self._front = rpc.ImageAnalysisServiceStub(channel)
        self._revision = 0
        self._release: dict[str, Any] = {}

    async def release(
        self,
        weight: float = 0,
        shadow: float = 0,
        canary: Mapping[str, str] | None = None,
        *,
        usable: bool = True,
    ) -> None:
        """A new revision, as Helm writes one: versions of canaries by feature; waits for it."""
        self._revision += 1
        canary = canary or {}
        document = {
            "schema": 1,
            "revision": self._revision,
            "weight": weight,
            "shadow": shadow,
            "stable": {name: {"version": STABLE_VERSION} for name in FEATURES.values()},
            "canary": {
                name: {"version": version, "target": self.targets[name]}
                for name, version in canary.items()
            },
        }
        self._release = self._server.put(RELEASE, {"release.json": json.dumps(document)})
        await self._taken(weight, shadow, "", canary)
        if canary and usable:
            await until(lambda: value("trilens_canary_usable") == 1)

    async def overlay(self, weight: float, shadow: float = 0) -> None:
        """A rollout's next step; waits for it."""
        about = self._release["metadata"]
        document = {
            "schema": 1,
            "rollout": "r1",
            "uid": about["uid"],
            "resource_version": about["resourceVersion"],
            "weight": weight,
            "shadow": shadow,
        }
        self._server.put(OVERLAY, {"overlay.json": json.dumps(document)})
        canaries = json.loads(self._release["data"]["release.json"])["canary"]
        canary = {name: one["version"] for name, one in canaries.items()}
        await self._taken(weight, shadow, "r1", canary)

    async def ask(
        self,
        key: str = "",
        *,
        features: list[Any] | None = None,
        lane: str = "",
        seconds: float = 10,
        request_id: str = "",
    ) -> pb.AnalyzeImageResponse:
        """One call, of a caller with that affinity key."""
        chosen = [{"feature": one} if isinstance(one, str) else one for one in features or ()]
        request = pb.AnalyzeImageRequest(
            image={"content": PHOTO}, affinity_key=key, features=chosen, request_id=request_id
        )
        metadata = (("trilens-lane", lane),) if lane else None
        return await self._front.AnalyzeImage(request, timeout=seconds, metadata=metadata)

    async def batch(self, photos: int, request_id: str) -> list[str]:
        """The lanes that the photos of a batch meet."""
        one = pb.AnalyzeImageRequest(image={"content": PHOTO})
        answer = await self._front.BatchAnalyzeImages(
            pb.BatchAnalyzeImagesRequest(requests=[one] * photos),
            timeout=10,
            metadata=(("trilens-request-id", request_id),),
        )
        return [item.response.lane for item in answer.items]

    async def versions(self, lane: str = "") -> dict[str, str]:
        """The models' versions that the gateway describes."""
        answer = await self._front.GetCapabilities(
            pb.GetCapabilitiesRequest(),
            timeout=10,
            metadata=(("trilens-lane", lane),) if lane else None,
        )
        return {one.feature: one.model.ref.version for one in answer.features}

    async def lanes(self, keys: int, **how: Any) -> dict[str, str]:
        """The lanes that so many callers meet, a few at a time."""
        turns = asyncio.Semaphore(8)

        async def one(key: str) -> tuple[str, str]:
            async with turns:
                return key, (await self.ask(key, **how)).lane

        return dict(await asyncio.gather(*(one(f"user-{n}") for n in range(keys))))

    async def _taken(
        self, weight: float, shadow: float, rollout: str, canary: Mapping[str, str]
    ) -> None:
        labels = {
            "revision": str(self._revision),
            "rollout": rollout,
            "weight": f"{weight:g}",
            "shadow": f"{shadow:g}",
            "canary": ",".join(sorted(f"{name}={version}" for name, version in canary.items())),
        }
        await until(lambda: value("trilens_release_info", **labels) == 1)


class NotingDetector(
    detector_pb2_grpc.DetectorServiceServicer, model_pb2_grpc.ModelServiceServicer
):
    """A canary that notes what comes with its calls, and is away for the first of them."""

    def __init__(self, away: int = 0) -> None:
        self.metadata: list[dict[str, Any]] = []
        self._away = away

    async def GetModel(self, _: Any, __: Any) -> model_pb2.GetModelResponse:
        return model_pb2.GetModelResponse(
            model={"ref": {"name": "objects", "version": CANARY_VERSION}, "max_side": 64}
        )

    async def DetectObjects(self, _: Any, context: Any) -> detector_pb2.DetectObjectsResponse:
        self.metadata.append(dict(context.invocation_metadata()))
        if len(self.metadata) <= self._away:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "away")
        return detector_pb2.DetectObjectsResponse(
            model={"name": "objects", "version": CANARY_VERSION}
        )


@asynccontextmanager
async def noting(canary: NotingDetector) -> AsyncIterator[str]:
    """The target of that canary."""
    server = grpc.aio.server()
    detector_pb2_grpc.add_DetectorServiceServicer_to_server(canary, server)
    model_pb2_grpc.add_ModelServiceServicer_to_server(canary, server)
    port = server.add_insecure_port(f"{LOOPBACK}:0")
    await server.start()
    try:
        yield f"{LOOPBACK}:{port}"
    finally:
        await server.stop(None)


@asynccontextmanager
async def service(model: FakeModel, port: int = 0) -> AsyncIterator[str]:
    """The target of a service with that model."""
    async with serving(server_settings(port=port, grace=1), model_app(model)) as ports:
        yield f"{LOOPBACK}:{ports.grpc}"


@asynccontextmanager
async def released(
    folder: Path, stable: Mapping[str, FakeModel] | None = None, **settings: Any
) -> AsyncIterator[Released]:
    """A gateway with stable services by task, detection alone unless given, and one lane so far."""
    models = stable or {"detection": FakeModel(version=STABLE_VERSION)}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(api_server(folder))
        features = {}
        for task, model in models.items():
            target = await stack.enter_async_context(service(model))
            features[FEATURES[task]] = FeatureSettings(task=task, target=target)
        app = GatewayApp(
            GatewaySettings(
                features=features,
                release_configmap=f"{NAMESPACE}/{RELEASE}",
                release_overlay=OVERLAY,
                kubernetes_api=server.url,
                kubernetes_account=server.account,
                **settings,
            ),
            server_settings(),
            host=None,
        )
        made = Released(server, await stack.enter_async_context(running(app)))
        made.app = app
        yield made
