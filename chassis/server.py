"""run(): start, ready, drain, stop. The only place that builds a server or minds a signal."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, NoReturn, Protocol

import grpc
from grpc_health.v1 import health_pb2_grpc

from chassis.doors import Server
from chassis.health import Health
from chassis.interceptors import Door
from chassis.logs import configure_logging
from chassis.memory import keep_memory
from chassis.metrics import BUILD, READY, MetricsPage
from chassis.reflection import Reflection
from chassis.settings import ServerSettings
from chassis.telemetry import start_telemetry
from chassis.version import VERSION

logger = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0  # between two looks at whether the app is in trouble

# What those who balance by health need to hear that no more calls are asked for: one that comes
# while the server stops is cancelled.
_NEWS_SECONDS: Final = 0.2

# Two processes on one port would share its calls at random: the second is refused.
_ALONE: Final = ("grpc.so_reuseport", 0)


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

    def register_inside(self, server: Server) -> None:
        """Adds what only the cluster itself asks, beside health and in plaintext."""

    async def start(self) -> bool:
        """Gets ready for work; False if it cannot, having logged why."""

    def trouble(self, hang_after: float) -> str:
        """Why it should get no work now, for the log; "" if it may; asked every second.

        One reason is that nothing it was asked for has ended for `hang_after` seconds.
        """

    async def stop(self) -> None:
        """Gives up what it holds; no call is in flight any more."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a server listens."""

    grpc: int
    health: int
    metrics: int


class CannotStart(Exception):
    """Why a server cannot listen, in a line for its operator."""


def run(settings: ServerSettings, app: App) -> NoReturn:
    """Serves until SIGTERM or SIGINT, finishes what is in flight, and ends the process."""
    keep_memory()
    configure_logging(settings.log_level)
    telemetry = start_telemetry(os.environ, f"trilens-{app.name}")
    code = 0
    try:
        asyncio.run(_until_told(settings, app))
    except CannotStart as problem:
        logger.error("%s cannot start: %s", app.name, problem)  # noqa: TRY400 - the line says all
        code = 1
    finally:
        telemetry.flush()
    # At once: a thread that still loads or computes, for nobody, makes the interpreter abort when
    # it ends under it.
    logging.shutdown()
    os._exit(code)


async def _until_told(settings: ServerSettings, app: App) -> None:
    loop = asyncio.get_running_loop()
    told = loop.create_future()

    def end() -> None:
        if not told.done():
            told.set_result(None)

    def tell(*_: object) -> None:
        with contextlib.suppress(RuntimeError):  # told before, and the loop is closed
            loop.call_soon_threadsafe(end)

    def give_up() -> None:
        if settings.exit_unstarted and not told.done():
            told.set_exception(CannotStart("it does not become ready"))

    # Not the loop's own handlers: they go with it, and a second signal would kill what is left.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)
    async with serving(settings, app, give_up):
        await told
        logger.info("draining")


@asynccontextmanager
async def serving(
    settings: ServerSettings, app: App, unstarted: Callable[[], None] = lambda: None
) -> AsyncIterator[Ports]:
    """Serves within the block; leaving it drains: not ready, finish, close.

    The ports are open when the block begins; `ready` follows once the app has started, or never:
    then `unstarted` is called. Raises CannotStart.
    """
    health = Health(app.services)
    reflection = Reflection((*app.services, "grpc.health.v1.Health"))
    server = _build(settings, app)
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    reflection.register(server)
    probes = grpc.aio.server(interceptors=(_door(settings, quiet=True),), options=(_ALONE,))
    health_pb2_grpc.add_HealthServicer_to_server(health, probes)
    app.register_inside(probes)
    port = _bind(server, settings.host, settings.port)
    health_port = _bind(probes, settings.host, settings.health_port)
    page = _metrics_page(settings, app, health)
    ports = Ports(port, health_port, page.port)
    _announce(settings, app, ports)
    await server.start()
    await probes.start()
    tending = asyncio.create_task(_tend(app, health, settings.hang_after, unstarted))
    try:
        yield ports
    finally:
        health.drain()
        reflection.drain()
        tending.cancel()
        await asyncio.wait((tending,))
        await asyncio.sleep(max(settings.drain_delay, _NEWS_SECONDS if health.watched else 0.0))
        health.close()
        await server.stop(settings.grace)
        await app.stop()
        await probes.stop(None)
        page.close()
        logger.info("stopped")


def _build(settings: ServerSettings, app: App) -> Server:
    server = grpc.aio.server(
        interceptors=(_door(settings),),
        options=(
            ("grpc.max_receive_message_length", settings.max_message_bytes),
            ("grpc.max_send_message_length", settings.max_message_bytes),
            _ALONE,
            # Clients may send keepalive pings as often as the published client settings do.
            ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
            *_connection_age(settings.max_connection_age),
        ),
    )
    app.register(server)
    return server


def _door(settings: ServerSettings, *, quiet: bool = False) -> Door:
    return Door(settings.usual_deadline(), settings.max_deadline, quiet=quiet)


def _connection_age(seconds: float) -> tuple[tuple[str, int], ...]:
    """Ends connections of that age, give or take a tenth; what was begun on them is finished."""
    return (("grpc.max_connection_age_ms", round(seconds * 1000)),) if seconds else ()


def _metrics_page(settings: ServerSettings, app: App, health: Health) -> MetricsPage:
    BUILD.labels(app.name, VERSION).set(1)
    READY.set_function(lambda: health.ready)
    try:
        return MetricsPage(settings.host, settings.metrics_port)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CannotStart(
            f"cannot listen on {settings.host}:{settings.metrics_port}: {reason}"
        ) from None


def _bind(server: Server, host: str, port: int) -> int:
    address, family = (f"[{host}]", socket.AF_INET6) if ":" in host else (host, socket.AF_INET)
    try:
        # gRPC does not say why it cannot have a port, but fills a page about it; the system does.
        with socket.socket(family) as asked:
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            asked.bind((host, port))
        return server.add_insecure_port(f"{address}:{port}")
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or error
        raise CannotStart(f"cannot listen on {address}:{port}: {why}") from None


async def _tend(app: App, health: Health, hang_after: float, unstarted: Callable[[], None]) -> None:
    """Starts the app, and asks for work from then on, unless it is in trouble."""
    try:
        started = await app.start()
    except Exception:
        logger.exception("%s does not become ready", app.name)
        started = False
    if not started:
        unstarted()
    while started:
        trouble = app.trouble(hang_after)
        if trouble and health.ready:
            logger.error("not ready: %s", trouble)
        elif not trouble and not health.ready:
            logger.info("ready")
        health.set_ready(ready=not trouble)
        await asyncio.sleep(_LOOK_SECONDS)


def _announce(settings: ServerSettings, app: App, ports: Ports) -> None:
    if settings.ports_file is not None:
        _write(settings.ports_file, json.dumps(asdict(ports)))
    logger.info("%s listens on %s:%d", app.name, settings.host, ports.grpc)


def _write(path: Path, text: str) -> None:
    # Renamed into place, so that a reader sees all of it or nothing.
    partial = path.with_suffix(".partial")
    try:
        partial.write_text(text)
        partial.rename(path)
    except OSError as error:
        raise CannotStart(f"cannot write {path}: {error.strerror}") from None
