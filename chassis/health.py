"""grpc.health.v1, with Watch streams that end before the server stops.

The servicer of grpcio-health-checking starts out as SERVING and holds every open Watch until the
server's grace is over; this one does neither. While it drains the streams stay: a client that
balances by health opens one that ended anew, at once and again and again.
"""

import asyncio
from typing import Final

import grpc
from grpc_health.v1 import health_pb2 as pb
from grpc_health.v1 import health_pb2_grpc as rpc

from chassis.doors import Context

LIVE: Final = "live"
READY: Final = "ready"

_SERVING: Final[int] = pb.HealthCheckResponse.SERVING
_NOT_SERVING: Final[int] = pb.HealthCheckResponse.NOT_SERVING
_UNKNOWN: Final[int] = pb.HealthCheckResponse.SERVICE_UNKNOWN


class Health(rpc.HealthServicer):
    """Answers for `live` (the event loop turns), `ready` (send work here), "" and each service."""

    def __init__(self, services: tuple[str, ...]) -> None:
        self._ready_names = frozenset(("", READY, *services))
        self._ready = False
        self._draining = False
        self._closed = False
        self._watches = 0
        self._changed = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether work is asked for."""
        return self._ready

    @property
    def watched(self) -> bool:
        """Whether somebody is told of every change."""
        return self._watches > 0

    def set_ready(self, *, ready: bool) -> None:
        """Send work here, or none, from now on; without effect once it drains."""
        if not self._draining and self._ready != ready:
            self._ready = ready
            self._tell()

    def drain(self) -> None:
        """Send no more work here; `live` stays, and every Watch is told."""
        self._ready = False
        self._draining = True
        self._tell()

    def close(self) -> None:
        """Ends every Watch, now and later: the server is about to stop."""
        self._closed = True
        self._tell()

    async def Check(
        self, request: pb.HealthCheckRequest, context: Context
    ) -> pb.HealthCheckResponse:
        """The status of one name; NOT_FOUND for a name that is not served here."""
        status = self._status(request.service)
        if status == _UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service here")
        return pb.HealthCheckResponse(status=status)

    async def List(self, _: pb.HealthListRequest, __: Context) -> pb.HealthListResponse:
        """The status of every name."""
        names = sorted(self._ready_names | {LIVE})
        return pb.HealthListResponse(
            statuses={name: pb.HealthCheckResponse(status=self._status(name)) for name in names}
        )

    async def Watch(self, request: pb.HealthCheckRequest, context: Context) -> None:
        """The status now and at every change, until this process leaves."""
        self._watches += 1
        try:
            await self._tell_changes(request, context)
        finally:
            self._watches -= 1

    async def _tell_changes(self, request: pb.HealthCheckRequest, context: Context) -> None:
        sent: int | None = None
        while True:
            changed = self._changed
            status = self._status(request.service)
            if status != sent:
                await context.write(pb.HealthCheckResponse(status=status))
                sent = status
            if self._closed:
                return
            await changed.wait()

    def _status(self, name: str) -> int:
        if name == LIVE:
            return _SERVING
        if name not in self._ready_names:
            return _UNKNOWN
        return _SERVING if self._ready else _NOT_SERVING

    def _tell(self) -> None:
        # A fresh event each time: a watcher that is slow to wake still sees that something changed.
        self._changed.set()
        self._changed = asyncio.Event()
