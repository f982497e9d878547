"""GatewayApp: the gateway's parts, put together for chassis.server.run."""

import asyncio
from collections.abc import Callable, Mapping

from chassis.admission import Admission
from chassis.compute import ComputePool
from chassis.decoder import decoder
from chassis.doors import Server
from chassis.images import ImageLimits
from chassis.settings import ServerSettings
from gateway.analyze import Analyzer, Feature
from gateway.backends import Backend, HostedBackend, HostedService, OffBackend
from gateway.pulse import Pulse
from gateway.remote import RemoteBackend
from gateway.servicer import ImageAnalysisServicer, limits
from gateway.settings import FeatureSettings, GatewaySettings
from gateway.tasks import TASKS
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc

# Makes a service that is hosted here, from its feature's settings; only __main__ knows how.
Host = Callable[[FeatureSettings, ComputePool], HostedService]


class GatewayApp:
    """The gateway: its features' backends, and the servicer that asks them."""

    name = "gateway"
    services = (pb.DESCRIPTOR.services_by_name["ImageAnalysisService"].full_name,)

    def __init__(self, settings: GatewaySettings, server: ServerSettings, host: Host) -> None:
        self._pool = ComputePool(server.slots(), server.lend_after)
        self._features = _features(settings, server, self._pool, host)
        image_limits = ImageLimits(
            max_bytes=settings.max_image_bytes, max_pixels=settings.max_image_pixels
        )
        # Two more than threads: one call is decoded and one is merged while models work on others.
        active = settings.max_active or server.slots() + 2
        analyzer = Analyzer(
            self._features,
            decoder(self._pool, image_limits),
            Admission(active, settings.max_waiting, settings.max_held_bytes),
        )
        self._servicer = ImageAnalysisServicer(analyzer, self._features, limits(settings, server))

    def register(self, server: Server) -> None:
        """Adds ImageAnalysisService."""
        rpc.add_ImageAnalysisServiceServicer_to_server(self._servicer, server)

    async def start(self) -> bool:
        """Starts every backend; False if a model that is hosted here does not load."""
        started = await asyncio.gather(
            *(feature.backend.start() for feature in self._features.values())
        )
        return all(started)

    def trouble(self, _: float) -> str:
        """None: a model in trouble costs its feature, and there are others."""
        return ""

    async def stop(self) -> None:
        """Stops every backend, then the pool."""
        for feature in self._features.values():
            await feature.backend.stop()
        self._pool.close()


def _features(
    settings: GatewaySettings, server: ServerSettings, pool: ComputePool, host: Host
) -> Mapping[str, Feature]:
    return {
        name: Feature(
            name,
            TASKS[one.task],
            _backend(name, one, pool, host),
            one.on_by_default and one.enabled,
            Pulse(server.lend_after),
        )
        for name, one in settings.features.items()
    }


def _backend(name: str, settings: FeatureSettings, pool: ComputePool, host: Host) -> Backend:
    if not settings.enabled:
        return OffBackend(name)
    if settings.model is not None:
        return HostedBackend(name, host(settings, pool))
    return RemoteBackend(name, TASKS[settings.task], settings.target or "")
