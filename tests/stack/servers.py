"""Servers as processes of their own, which can be told to leave, frozen and killed."""

import asyncio
import json
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.harness import LOOPBACK, ROOT

PATIENCE_SECONDS = 60
GRACE_SECONDS = 30


class Child:
    """A server as a process of its own; its log is read as it comes."""

    def __init__(
        self, process: asyncio.subprocess.Process, ports_file: Path, host: str = LOOPBACK
    ) -> None:
        self.process = process
        self.host = host
        self.log: list[str] = []
        self._silent = False
        self._ports_file = ports_file
        self._more = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def says(self, text: str) -> str:
        """Waits for a line of the log that contains the text, and returns it."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._more:
            while True:
                for line in self.log:
                    if text in line:
                        return line
                assert not self._silent, self.log
                await self._more.wait()

    async def ready(self) -> None:
        """Waits until it asks for work; fails if it says that it never will."""
        assert json.loads(await self.says("ready"))["message"] == "ready"

    async def address(self, port: str = "grpc") -> str:
        """Where it listens, once it does."""
        await self.says("listens on")
        return f"{self.host}:{json.loads(self._ports_file.read_text())[port]}"

    def told(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Signals it."""
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code, once it has left and its log is read."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._reading
            return await self.process.wait()

    async def _read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            async with self._more:
                self.log.append(line.decode().rstrip())
                self._more.notify_all()
        async with self._more:
            self._silent = True
            self._more.notify_all()


@asynccontextmanager
async def child(tmp_path: Path, *command: str, **settings: Any) -> AsyncIterator[Child]:
    """The child within the block, killed if it is still there after it."""
    ports_file = tmp_path / f"ports-{uuid.uuid4().hex}.json"
    own = {
        "PORT": 0,
        "HEALTH_PORT": 0,
        "METRICS_PORT": 0,
        "PORTS_FILE": ports_file,
        "GRACE": GRACE_SECONDS,
    } | settings
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *command),
        cwd=ROOT,
        env=os.environ
        | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'client'}"}
        | {f"TRILENS_{name}": str(value) for name, value in own.items()},
        stderr=asyncio.subprocess.PIPE,
    )
    running = Child(process, ports_file, settings.get("HOST", LOOPBACK))
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await running.ended()
