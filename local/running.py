"""Running: one process of the stack, from its start to its end."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.plan import Part

ROOT: Final = Path(__file__).resolve().parent.parent

_LOOK_EVERY_SECONDS: Final = 0.01
# The servers give calls in flight 30 s; past that and a little more they hang.
_STOP_SECONDS: Final = 35.0
_LOUD: Final = ("warning", "error", "critical")
_LONGEST_LINE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a process listens."""

    grpc: int
    health: int
    metrics: int


class Running:
    """A part that was started; its log goes to a file, and warnings to the terminal as well.

    `failed` is called, at most once, with the reason why the part cannot do its work: an error
    that it logs before it is ready, or its end before it is told to stop.
    """

    def __init__(self, part: Part, folder: Path, failed: Callable[[str], None]) -> None:
        self.name = part.name
        self.log = folder / f"{part.name}.log"
        self._part = part
        self._ports_file = folder / f"{part.name}.json"
        self._tell = failed
        self._failed = False
        self._ready = False
        self._stopping = False
        self._last_words = ""
        self._child: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the process."""
        settings = {**self._part.settings, "TRILENS_PORTS_FILE": str(self._ports_file)}
        self._child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "local.child", self._part.module),
            cwd=ROOT,
            env={**os.environ, **settings},
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE_BYTES,
            # A group of its own: Ctrl-C is for us, and we stop the parts in their order.
            process_group=0,
        )
        self._watching = asyncio.create_task(self._watch(self._child))

    async def ports(self) -> Ports:
        """Where it listens, once it does."""
        while not self._ports_file.exists():  # noqa: ASYNC110 - nothing tells when a file appears
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        return Ports(**json.loads(self._ports_file.read_text()))

    def set_ready(self) -> None:
        """From now on an error that it logs belongs to a call, and is no failure of the part."""
        self._ready = True

    async def stop(self) -> bool:
        """Tells it to finish and waits until it has ended; whether it ended as told."""
        if self._child is None or self._watching is None:
            return True
        self._stopping = True
        with contextlib.suppress(ProcessLookupError):
            self._child.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(self._watching), _STOP_SECONDS)
        except TimeoutError:
            self.kill()
            await self._watching
        # Before it minds signals, SIGTERM simply ends it.
        return self._child.returncode in (0, -signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()

    async def _watch(self, child: asyncio.subprocess.Process) -> None:
        lines = child.stderr
        assert lines is not None  # noqa: S101 - it is a pipe: see start
        with self.log.open("wb") as log:
            async for line in lines:
                log.write(line)
                log.flush()
                self._heard(line.decode(errors="replace").rstrip())
        code = await child.wait()
        if not self._stopping:
            self._fail(f"{self._last_words or 'no reason given'} (exit code {code})")

    def _heard(self, line: str) -> None:
        try:
            record = json.loads(line)
            level, message = record["level"], record["message"]
        except (ValueError, KeyError, TypeError):
            # Not from the log: a traceback, a setting that is wrong, a library's own words.
            self._last_words = line or self._last_words
            return
        if level not in _LOUD:
            return
        if error := record.get("error"):
            message = f"{message}: {error.splitlines()[-1]}"
        self._last_words = message
        if level == "warning" or self._ready:
            print(f"{self.name}: {level}: {message}", file=sys.stderr)
        else:
            self._fail(message)

    def _fail(self, reason: str) -> None:
        if not self._failed:
            self._failed = True
            self._tell(f"{self.name}: {reason}")
