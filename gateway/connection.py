"""Connection: a channel to one service, and how a service of its task is asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import grpc

from chassis.call import Call
from gateway.outcomes import Answered
from gateway.tasks import Task
from trilens import channel
from trilens.v1 import model_pb2, model_pb2_grpc

Metadata: TypeAlias = tuple[tuple[str, str], ...]

_ROUND_ROBIN: Final[dict[str, Any]] = {"loadBalancingConfig": [{"round_robin": {}}]}
# A retry is for meeting another replica than the one that just left. Where there is none, the
# feature's failure should be known at once: the others' answer waits for it.
_RETRIED: Final = {
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
_OPTIONS: Final = {
    **dict(channel.options()),
    # A service that restarts is back within a second or two of its port being open again.
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 2_000,
    # And where nobody refuses to be connected to, as an address is gone, that is known soon.
    "grpc.min_reconnect_backoff_ms": 5_000,
    # Of several replicas, one that is frozen or vanished is asked for this long at most.
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 5_000,
}


@dataclass(frozen=True, slots=True)
class Route:
    """Where a channel leads, and how."""

    target: str
    options: tuple[tuple[str, str | int], ...]


def to_service(target: str) -> Route:
    """Over which gRPC finds the replicas, and asks another one, by itself."""
    return _route(target, _ROUND_ROBIN | _RETRIED)


def to_replica(address: str, name: str, service: str) -> Route:
    """To one replica, at an address that the name stands for; what fails is not asked again.

    It is READY while the replica's health says so of that service: an address that meanwhile
    belongs to some other server never is.
    """
    # The balancer that a single address would get minds no health.
    config = _ROUND_ROBIN | {"healthCheckConfig": {"serviceName": service}}
    family = "ipv6" if address.startswith("[") else "ipv4"
    authority = ("grpc.default_authority", name.removeprefix("dns:///"))
    return _route(f"{family}:{address}", config, authority)


class Connection:
    """A channel to a service of that task; made where the event loop runs, as gRPC requires."""

    def __init__(self, task: Task, route: Route) -> None:
        self._task = task
        self._channel = grpc.aio.insecure_channel(route.target, options=route.options)
        self._channel.get_state(try_to_connect=True)  # not only when the first call waits for it
        self._ask = getattr(task.stub(self._channel), task.method)
        self._models = model_pb2_grpc.ModelServiceStub(self._channel)

    @property
    def state(self) -> grpc.ChannelConnectivity:
        """Whether a call would be sent now, has to wait, or would fail."""
        return self._channel.get_state()

    async def ask(self, request: Any, call: Call) -> Answered:
        """The service's answer; raises AioRpcError."""
        response = await self._ask(request, timeout=call.deadline.left(), metadata=call.metadata())
        return Answered(getattr(response, self._task.name), response.model, response.timings)

    async def model(
        self, metadata: Metadata, seconds: float, *, patient: bool = False
    ) -> model_pb2.Model:
        """The service's model; raises AioRpcError. If patient it waits for the service to come."""
        answer: model_pb2.GetModelResponse = await self._models.GetModel(
            model_pb2.GetModelRequest(),
            timeout=seconds,
            metadata=metadata,
            wait_for_ready=patient,
        )
        return answer.model

    async def close(self) -> None:
        """Ends the connection; calls under way are cancelled."""
        await self._channel.close()


def _route(target: str, config: Mapping[str, Any], *further: tuple[str, str | int]) -> Route:
    config_text = ("grpc.service_config", json.dumps(config))
    return Route(target, tuple(dict((*_OPTIONS.items(), config_text, *further)).items()))
