"""The servers that are measured: child processes on free ports, as `python -m` starts them."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from bench.photos import ROOT

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 30.0
_SERVICES: Final = {
    "attributes": ("classification", "services.classifier"),
    "captions": ("caption", "services.captioner"),
    "objects": ("detection", "services.detector"),
}


@dataclass(frozen=True, slots=True)
class Servers:
    """A running system: where its gateway listens, and its processes."""

    target: str
    processes: tuple[psutil.Process, ...]

    def cpu_seconds(self) -> float:
        """CPU time that the processes have used so far."""
        times = [process.cpu_times() for process in self.processes]
        return sum(one.user + one.system for one in times)


@contextmanager
def one_process(cores: int) -> Iterator[Servers]:
    """The gateway with all three models hosted in it."""
    with ExitStack() as stack:
        port, process = stack.enter_context(_server("gateway", {"TRILENS_THREADS": str(cores)}))
        yield Servers(f"127.0.0.1:{port}", (process,))


@contextmanager
def four_processes(cores: int) -> Iterator[Servers]:
    """The gateway and a process for each model; their compute threads share the cores."""
    threads = {"TRILENS_THREADS": str(max(1, cores // len(_SERVICES)))}
    with ExitStack() as stack:
        features, processes = {}, []
        for feature, (task, module) in _SERVICES.items():
            port, process = stack.enter_context(_server(module, threads))
            features[feature] = {"task": task, "target": f"127.0.0.1:{port}"}
            processes.append(process)
        settings = {"TRILENS_FEATURES": json.dumps(features), **threads}
        port, process = stack.enter_context(_server("gateway", settings))
        yield Servers(f"127.0.0.1:{port}", (*processes, process))


@contextmanager
def _server(module: str, settings: dict[str, str]) -> Iterator[tuple[int, psutil.Process]]:
    with tempfile.TemporaryDirectory() as folder:
        ports = Path(folder) / "ports.json"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "client"))),
            "TRILENS_PORT": "0",
            "TRILENS_HEALTH_PORT": "0",
            "TRILENS_METRICS_PORT": "0",
            "TRILENS_PORTS_FILE": str(ports),
            "TRILENS_LOG_LEVEL": "WARNING",
            **settings,
        }
        child = subprocess.Popen([sys.executable, "-m", module], cwd=ROOT, env=environment)
        try:
            yield _port(ports, child), psutil.Process(child.pid)
        finally:
            child.terminate()
            child.wait(_STOP_SECONDS)


def _port(ports: Path, child: "subprocess.Popen[bytes]") -> int:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and child.poll() is None:
        if ports.exists():
            return int(json.loads(ports.read_text())["grpc"])
        time.sleep(0.05)
    raise RuntimeError(f"{child.args!r} did not open its port")
