"""`python -m local` as a child process: what it prints, the processes it starts, how it ends."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent
OBJECTS_ONLY = '{"objects": {"task": "detection", "model": "models/objects/1.1.0"}}'
PATIENCE_SECONDS = 120  # ends a test that hangs; nothing here is meant to take that long


class Launched:
    """A stack that was started; `parts` are its processes once it has answered."""

    def __init__(self, arguments: tuple[str, ...], settings: Mapping[str, str]) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "local", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": "client", "PYTHONUNBUFFERED": "1", **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # as a terminal's job: a group that Ctrl-C goes to
        )
        self._timer = threading.Timer(PATIENCE_SECONDS, self._child.kill)
        self._timer.start()
        self.printed = ""
        self.parts: tuple[psutil.Process, ...] = ()

    def until_answered(self) -> "Launched":
        """Reads what it prints up to the last line before it waits."""
        for line in self._child.stdout:
            self.printed += line
            if line.startswith("Ctrl-C"):
                self.parts = tuple(psutil.Process(self._child.pid).children(recursive=True))
                return self
        raise AssertionError(f"it ended before it answered: {self._child.stderr.read()}")

    def command(self, containing: str) -> str:
        """The command it printed that contains the text; lines that end in | go on."""
        lines = re.sub(r"\|\n\s*", "| ", self.printed).splitlines()
        return next(line.strip() for line in lines if containing in line)

    def send(self, number: signal.Signals) -> None:
        """Signals the group, as a terminal does."""
        os.killpg(self._child.pid, number)

    def ended(self) -> tuple[int, str]:
        """Waits for its end: the exit code and everything on standard error."""
        rest, errors = self._child.communicate()
        self.printed += rest
        return self._child.returncode, errors

    def close(self) -> None:
        """Ends what is still there."""
        self._timer.cancel()
        for part in (*self.parts, self._child):
            try:
                part.kill()
            except psutil.NoSuchProcess:
                continue
        self._child.communicate()


@contextmanager
def launched(*arguments: str, **settings: str) -> Iterator[Launched]:
    """A stack with these arguments and TRILENS_* variables, ended with the block."""
    stack = Launched(arguments, settings)
    try:
        yield stack
    finally:
        stack.close()


def all_gone(parts: tuple[psutil.Process, ...]) -> bool:
    """Whether all the processes end, or have ended."""
    return not psutil.wait_procs(parts, timeout=30)[1]
