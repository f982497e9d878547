"""GatewayApp: the gateway's parts, put together for chassis.server.run."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from chassis.admission import Admission
from chassis.call import CANARY, STABLE
from chassis.compute import ComputePool
from chassis.decoder import decoder
from chassis.doors import Server
from chassis.images import ImageLimits
from chassis.metrics import GATEWAY_QUEUE_DEPTH, tell
from chassis.settings import ServerSettings
from gateway.addresses import Name
from gateway.analyze import Analyzer
from gateway.backends import Backend, HostedBackend, HostedService, OffBackend
from gateway.demand import Demands
from gateway.externalscaler.externalscaler_pb2_grpc import add_ExternalScalerServicer_to_server
from gateway.features import Feature
from gateway.lanes import Lanes, OpenCanary
from gateway.pulse import Pulse
from gateway.release_document import Canary
from gateway.release_source import ReleaseSource
from gateway.remote import RemoteBackend
from gateway.scaler.peers import Peers
from gateway.scaler.servicer import ExternalScalerServicer
from gateway.servicer import ImageAnalysisServicer, limits
from gateway.settings import FeatureSettings, GatewaySettings
from gateway.shadow import Shadows
from gateway.tasks import TASKS
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc

# Makes a service that is hosted here, from its feature's settings; only __main__ knows how.
Host = Callable[[FeatureSettings, ComputePool], HostedService]

# A gateway that begins waits at most so long for a canary that is to get calls: with it from the
# first call on, callers keep their lane when they come to a new gateway.
_CANARY_SECONDS: Final = 3.0


class GatewayApp:
    """The gateway: its features' backends, and the servicer that asks them."""

    name = "gateway"
    services = (pb.DESCRIPTOR.services_by_name["ImageAnalysisService"].full_name,)

    def __init__(self, settings: GatewaySettings, server: ServerSettings, host: Host) -> None:
        self._pool = ComputePool(server.slots(), server.lend_after)
        demands = Demands(settings.features)
        self._features = _features(settings, server, self._pool, host, demands)
        self._peers = _peers(settings)
        self._scaler = ExternalScalerServicer(demands, self._peers) if settings.scaler else None
        image_limits = ImageLimits(
            max_bytes=settings.max_image_bytes, max_pixels=settings.max_image_pixels
        )
        # Two more than threads: one call is decoded and one is merged while models work on others.
        active = settings.max_active or server.slots() + 2
        admission = Admission(active, settings.max_waiting, settings.max_held_bytes)
        tell(GATEWAY_QUEUE_DEPTH, admission.waiting)
        self._lanes = Lanes(
            self._features, _open_canary(settings, demands), may_ask=settings.lane_header
        )
        self._shadows = Shadows(settings.max_shadow, settings.shadow_seconds, admission.crowded)
        self._release = ReleaseSource(settings, self._lanes.take)
        analyzer = Analyzer(
            self._features,
            self._lanes,
            self._shadows,
            decoder(self._pool, image_limits),
            admission,
        )
        self._servicer = ImageAnalysisServicer(analyzer, self._lanes, limits(settings, server))

    def register(self, server: Server) -> None:
        """Adds ImageAnalysisService."""
        rpc.add_ImageAnalysisServiceServicer_to_server(self._servicer, server)

    def register_inside(self, server: Server) -> None:
        """Adds the scaler that KEDA asks, if this gateway is to be one."""
        if self._scaler is not None:
            add_ExternalScalerServicer_to_server(self._scaler, server)

    async def start(self) -> bool:
        """Starts every backend; False if a model that is hosted here does not load."""
        started = await asyncio.gather(
            self._start_lanes(), *(feature.backend.start() for feature in self._features.values())
        )
        return all(started)

    def trouble(self, _: float) -> str:
        """None: a model in trouble costs its feature, and there are others."""
        return ""

    async def stop(self) -> None:
        """Stops what follows and copies, every backend, then the pool."""
        await self._release.stop()
        await self._shadows.stop()
        await self._lanes.stop()
        for feature in self._features.values():
            await feature.backend.stop()
        if self._peers is not None:
            await self._peers.close()
        self._pool.close()

    async def _start_lanes(self) -> bool:
        await self._release.start()
        await self._lanes.settled(_CANARY_SECONDS)
        return True


def _features(
    settings: GatewaySettings,
    server: ServerSettings,
    pool: ComputePool,
    host: Host,
    demands: Demands,
) -> Mapping[str, Feature]:
    return {
        name: Feature(
            name,
            TASKS[one.task],
            _backend(name, one, pool, host, demands),
            one.on_by_default and one.enabled,
            Pulse(server.lend_after),
        )
        for name, one in settings.features.items()
    }


def _backend(
    name: str, settings: FeatureSettings, pool: ComputePool, host: Host, demands: Demands
) -> Backend:
    if not settings.enabled:
        return OffBackend(name)
    if settings.model is not None:
        return HostedBackend(name, host(settings, pool))
    demand = demands.of(name, STABLE)
    return RemoteBackend(name, TASKS[settings.task], settings.target or "", demand=demand)


def _open_canary(settings: GatewaySettings, demands: Demands) -> OpenCanary:
    def open_canary(feature: Feature, canary: Canary) -> Backend:
        if not settings.features[feature.name].enabled:
            return feature.backend
        demand = demands.of(feature.name, CANARY)
        return RemoteBackend(feature.name, feature.task, canary.target, canary.version, demand)

    return open_canary


def _peers(settings: GatewaySettings) -> Peers | None:
    name = Name.of(settings.scaler_peers)
    return None if name is None else Peers(name)
