"""run(): start, ready, drain, stop. The only place that builds a server or minds a signal."""

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from chassis.doors import Server
from chassis.health import Health
from chassis.interceptors import Door
from chassis.logs import configure_logging
from chassis.settings import ServerSettings
from chassis.telemetry import start_telemetry

logger = logging.getLogger(__name__)


class App(Protocol):
    """What a process serves."""

    @property
    def name(self) -> str:
        """The process's name in logs and traces, such as "detector"."""

    @property
    def services(self) -> tuple[str, ...]:
        """Full names of the gRPC services it registers."""

    def register(self, server: Server) -> None:
        """Adds its servicers to the server."""

    async def start(self) -> bool:
        """Gets ready for work; False if it cannot, having logged why."""

    async def stop(self) -> None:
        """Gives up what it holds; no call is in flight any more."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a server listens."""

    grpc: int
    health: int


def run(settings: ServerSettings, app: App) -> None:
    """Serves until SIGTERM or SIGINT, finishes what is in flight, and returns."""
    configure_logging(settings.log_level)
    telemetry = start_telemetry(os.environ, f"trilens-{app.name}")
    try:
        asyncio.run(_until_told(settings, app))
    finally:
        telemetry.flush()


async def _until_told(settings: ServerSettings, app: App) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    async with serving(settings, app):
        await told.wait()
        logger.info("draining")


@asynccontextmanager
async def serving(settings: ServerSettings, app: App) -> AsyncIterator[Ports]:
    """Serves within the block; leaving it drains: not ready, finish, close.

    The ports are open when the block begins; `ready` follows once the app has started.
    """
    health = Health(app.services)
    server = _build(settings, app, health)
    probes = grpc.aio.server()
    health_pb2_grpc.add_HealthServicer_to_server(health, probes)
    ports = Ports(
        server.add_insecure_port(f"{settings.host}:{settings.port}"),
        probes.add_insecure_port(f"{settings.host}:{settings.health_port}"),
    )
    await server.start()
    await probes.start()
    _announce(settings, app, ports)
    starting = asyncio.create_task(_start(app, health))
    try:
        yield ports
    finally:
        health.drain()
        await asyncio.sleep(settings.drain_delay)
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        await server.stop(settings.grace)
        await app.stop()
        await probes.stop(None)
        logger.info("stopped")


def _build(settings: ServerSettings, app: App, health: Health) -> Server:
    server = grpc.aio.server(
        interceptors=(Door(settings.default_deadline, settings.max_deadline),),
        options=(
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", settings.max_message_bytes),
            # Two processes on one port would share its calls at random: refuse the second.
            ("grpc.so_reuseport", 0),
            # Clients may send keepalive pings as often as the published client settings do.
            ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ),
    )
    app.register(server)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    names = (*app.services, "grpc.health.v1.Health", reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    return server


async def _start(app: App, health: Health) -> None:
    if await app.start():
        health.set_ready()
        logger.info("ready")


def _announce(settings: ServerSettings, app: App, ports: Ports) -> None:
    logger.info("%s listens on %s:%d", app.name, settings.host, ports.grpc)
    if settings.ports_file is not None:
        # Renamed into place, so that a reader sees all of it or nothing.
        partial = settings.ports_file.with_suffix(".partial")
        partial.write_text(json.dumps({"grpc": ports.grpc, "health": ports.health}))
        partial.rename(settings.ports_file)
