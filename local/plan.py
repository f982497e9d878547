"""What to start: one process, or a gateway with three services."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LOOPBACK: Final = "127.0.0.1"
GATEWAY: Final = "gateway"
PROCESSES: Final = (1, 4)

# The sizes that every default package is warmed with go up to this one.
_MAX_BATCH: Final = 4


@dataclass(frozen=True, slots=True)
class Service:
    """One of the three services, and what the gateway calls it."""

    name: str
    feature: str
    task: str


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the system: a module to run, and its settings as TRILENS_* variables."""

    name: str
    module: str
    settings: Mapping[str, str]


SERVICES: Final = (
    Service("classifier", "attributes", "classification"),
    Service("captioner", "captions", "caption"),
    Service("detector", "objects", "detection"),
)


def alone(port: int, cores: int) -> Part:
    """The gateway, which hosts every model: on one machine nothing is faster."""
    return Part(GATEWAY, GATEWAY, _settings(port, cores))


def services(cores: int) -> tuple[Part, ...]:
    """The three services, on free ports."""
    return tuple(
        Part(service.name, f"services.{service.name}", _settings(0, threads))
        for service, threads in zip(SERVICES, _threads(cores)[1:], strict=True)
    )


def gateway(port: int, cores: int, ports: Mapping[str, int]) -> Part:
    """The gateway in front of services, whose ports are given by their names."""
    features = {
        service.feature: {"task": service.task, "target": f"{LOOPBACK}:{ports[service.name]}"}
        for service in SERVICES
    }
    settings = _settings(port, _threads(cores)[0])
    return Part(GATEWAY, GATEWAY, settings | {"TRILENS_FEATURES": json.dumps(features)})


def _threads(cores: int) -> tuple[int, ...]:
    """Threads of the gateway and of each service: together as many as cores, if those suffice."""
    # More threads would only take turns, and batches end later. Who comes last works hardest.
    processes = len(SERVICES) + 1
    return tuple(max(1, (cores + place) // processes) for place in range(processes))


def _settings(port: int, threads: int) -> dict[str, str]:
    return {
        "TRILENS_HOST": LOOPBACK,
        "TRILENS_PORT": str(port),
        "TRILENS_HEALTH_PORT": "0",
        "TRILENS_METRICS_PORT": "0",
        "TRILENS_THREADS": str(threads),
        "TRILENS_MAX_BATCH": str(_MAX_BATCH),
    }
