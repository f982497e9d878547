"""Child processes that serve fake models, for what only a process can do: freeze, die, come back.

`python -m tests.children SPEC` serves each entry of SPEC, a JSON object, on a port of its own, and
prints the ports as JSON once all are ready. An entry is the name of a service with a fate (see
tests/fates.py) and its port (0: a free one), or "gateway" and its features' targets (null: hosted).
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import grpc

from chassis.logs import configure_logging
from chassis.server import App, serving
from chassis.telemetry import start_telemetry
from tests.fates import Fates, gateway
from tests.harness import LOOPBACK, ROOT, ready, server_settings

GATEWAY = "gateway"


@dataclass(frozen=True)
class Child:
    """A process, and where its servers listen."""

    process: asyncio.subprocess.Process
    targets: Mapping[str, str]

    def freeze(self) -> None:
        """Stops it in its tracks; connections stay open, nobody answers."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets it go on."""
        self.process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        """Ends it at once."""
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """Ends it in order; its exit status."""
        with suppress(ProcessLookupError):
            self.thaw()
            self.process.terminate()
        return await self.process.wait()


@asynccontextmanager
async def child(spec: Mapping[str, Any], **environment: str) -> AsyncIterator[Child]:
    """A child that is ready when the block begins and gone when it ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.children",
        json.dumps(spec),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((".", "client")), **environment},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        ports = json.loads(await process.stdout.readline())
        yield Child(process, {name: f"{LOOPBACK}:{port}" for name, port in ports.items()})
    finally:
        await Child(process, {}).stop()
        # The transport is closed by what the pipe says last, not by the exit.
        await process.stdout.read()


async def _serve(spec: Mapping[str, Any], fates: Fates) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    async with AsyncExitStack() as stack:
        ports = {}
        for name, value in spec.items():
            app, port = _app(name, value, fates)
            settings = server_settings(port=port, threads=1, grace=1)
            ports[name] = (await stack.enter_async_context(serving(settings, app))).grpc
            async with grpc.aio.insecure_channel(f"{LOOPBACK}:{ports[name]}") as channel:
                await ready(channel)
        sys.stdout.write(json.dumps(ports) + "\n")
        sys.stdout.flush()
        await told.wait()
        fates.release()


def _app(name: str, value: Any, fates: Fates) -> tuple[App, int]:
    if name == GATEWAY:
        return gateway(value, fates), 0
    return fates.app(name), value


def main() -> None:
    """Serves until told to stop."""
    configure_logging("WARNING")
    telemetry = start_telemetry(os.environ, "trilens-test")
    try:
        asyncio.run(_serve(json.loads(sys.argv[1]), Fates()))
    finally:
        telemetry.flush()


if __name__ == "__main__":
    main()
