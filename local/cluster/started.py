"""Started: the programs of a cluster as its first process sees them."""

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from local.cluster.api import Api, Refused
from local.cluster.plan import Part, search_path

_STOP_SECONDS: Final = 10.0
_LOOK_EVERY_SECONDS: Final = 0.01


class Started:
    """Starts parts, each with a log of its own, and knows which of them live.

    Made for a process of number 1: it also reaps what the parts leave behind.
    """

    def __init__(self, parts: Sequence[Part], logs: Path, kubeconfig: Path) -> None:
        self._parts = {part.name: part for part in parts}
        self._logs = logs
        self._api = Api(kubeconfig)
        self._pids: dict[str, int] = {}
        self._ends: dict[str, int] = {}
        self._waiting = [part.name for part in parts if part.after_api]

    def start_first(self) -> None:
        """Starts those that the API server needs, and it."""
        for part in self._parts.values():
            if not part.after_api:
                self.start(part.name)

    def start_rest_if_ready(self) -> bool:
        """Starts the others as soon as the API server answers; whether none waits any more."""
        if self._waiting and self._api_is_ready():
            for name in self._waiting:
                self.start(name)
            self._waiting = []
        return not self._waiting

    def start(self, name: str) -> None:
        """Starts one, unless it runs."""
        if name in self._pids:
            return
        part = self._parts[name]
        log = (
            os.POSIX_SPAWN_OPEN,
            1,
            str(self._logs / f"{name}.log"),
            os.O_WRONLY | os.O_CREAT | os.O_APPEND,
            0o644,
        )
        self._ends.pop(name, None)
        self._pids[name] = os.posix_spawn(
            part.command[0],
            part.command,
            {**os.environ, "PATH": search_path(), **part.environment},
            file_actions=(log, (os.POSIX_SPAWN_DUP2, 1, 2)),
            setsid=True,
            setsigdef=(signal.SIGTERM, signal.SIGCHLD),
        )

    def stop(self, name: str) -> None:
        """Ends one, and waits until it has ended."""
        if name in self._waiting:
            self._waiting.remove(name)
        self.signal(name, signal.SIGTERM)
        limit = time.monotonic() + _STOP_SECONDS
        while name in self._pids:
            if time.monotonic() > limit:
                self.signal(name, signal.SIGKILL)
            time.sleep(_LOOK_EVERY_SECONDS)
            self.reap()

    def signal(self, name: str, number: signal.Signals) -> None:
        """Sends a signal to one, if it lives."""
        if name in self._pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pids[name], number)

    def reap(self) -> None:
        """Takes note of every process that has ended since."""
        names = {pid: name for name, pid in self._pids.items()}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if name := names.get(pid):
                del self._pids[name]
                self._ends[name] = os.waitstatus_to_exitcode(status)

    def states(self) -> dict[str, str]:
        """What each one does, in a word or two."""
        return {name: self._state(name) for name in self._parts}

    def _state(self, name: str) -> str:
        if name in self._pids:
            return "runs"
        return f"ended with {self._ends[name]}" if name in self._ends else "waits"

    def _api_is_ready(self) -> bool:
        try:
            return self._api.text("/readyz") == "ok"
        except (OSError, Refused):
            return False
