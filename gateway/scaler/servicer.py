"""ExternalScaler: the demand for a model as all gateways see it, on one side KEDA's protocol."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final

from chassis.doors import Context
from chassis.errors import InvalidRequest, Violation
from gateway.demand import Demands
from gateway.externalscaler import externalscaler_pb2 as pb
from gateway.externalscaler import externalscaler_pb2_grpc as rpc
from gateway.scaler.peers import IDLE_SECONDS, OWN, PHOTOS, Peers, Seen
from gateway.scaler.wanted import Wanted

_LOOK_SECONDS: Final = 0.5  # between two looks at whether there is work, for those who are told


class ExternalScalerServicer(rpc.ExternalScalerServicer):
    """Answers KEDA for every gateway, and the other gateways for this one."""

    def __init__(self, demands: Demands, peers: Peers | None) -> None:
        """Without peers this gateway is the only one."""
        self._demands = demands
        self._peers = peers

    async def IsActive(self, request: pb.ScaledObjectRef, _: Context) -> pb.IsActiveResponse:
        """Whether a photo came lately; what nobody answered counts, too."""
        return pb.IsActiveResponse(result=await self._active(self._wanted(request)))

    async def StreamIsActive(
        self, request: pb.ScaledObjectRef, context: Context
    ) -> AsyncIterator[pb.IsActiveResponse]:
        """The same at once and at every change."""
        try:
            wanted = self._wanted(request)
        except InvalidRequest as problem:
            await context.abort(problem.code, str(problem))
        told: bool | None = None
        while True:
            active = await self._active(wanted)
            if active != told:
                yield pb.IsActiveResponse(result=active)
                told = active
            await asyncio.sleep(_LOOK_SECONDS)

    async def GetMetricSpec(
        self, request: pb.ScaledObjectRef, _: Context
    ) -> pb.GetMetricSpecResponse:
        """Photos under way, and how many of them each replica should have."""
        wanted = self._wanted(request)
        spec = pb.MetricSpec(
            metricName=_metric(wanted),
            targetSize=math.ceil(wanted.target),
            targetSizeFloat=wanted.target,
        )
        return pb.GetMetricSpecResponse(metricSpecs=[spec])

    async def GetMetrics(self, request: pb.GetMetricsRequest, _: Context) -> pb.GetMetricsResponse:
        """Photos under way over all gateways; or what this one sees, for the others."""
        wanted = self._wanted(request.scaledObjectRef)
        if request.metricName == OWN:
            own = self._own(wanted)
            return _values({PHOTOS: own.photos, IDLE_SECONDS: own.idle_seconds})
        photos = sum(one.photos for one in await self._seen(wanted))
        return _values({_metric(wanted): photos})

    def _wanted(self, ref: pb.ScaledObjectRef) -> Wanted:
        wanted = Wanted.of(ref.scalerMetadata)
        if wanted.feature not in self._demands.features:
            known = ", ".join(sorted(self._demands.features))
            raise InvalidRequest(Violation("metadata.feature", f"must be one of {known}"))
        return wanted

    async def _active(self, wanted: Wanted) -> bool:
        return any(one.idle_seconds < wanted.active_seconds for one in await self._seen(wanted))

    async def _seen(self, wanted: Wanted) -> Sequence[Seen]:
        if self._peers is None:
            return (self._own(wanted),)
        # A name that leads nowhere yet leads not to this one either.
        return await self._peers.seen(wanted.feature, wanted.track) or (self._own(wanted),)

    def _own(self, wanted: Wanted) -> Seen:
        demand = self._demands.of(wanted.feature, wanted.track)
        return Seen(demand.mean, time.monotonic() - demand.idle_seconds)


def _metric(wanted: Wanted) -> str:
    return f"trilens-{wanted.feature}-{wanted.track}"


def _values(values: dict[str, float]) -> pb.GetMetricsResponse:
    return pb.GetMetricsResponse(
        metricValues=[
            pb.MetricValue(
                metricName=name,
                metricValue=math.ceil(min(value, 1e9)),
                metricValueFloat=value,
            )
            for name, value in values.items()
        ]
    )
