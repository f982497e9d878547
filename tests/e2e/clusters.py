"""A cluster as tests use it: its commands, kubectl, helm, and waiting."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.cluster.cluster import within
from local.cluster.oci import PAUSE
from local.cluster.place import Place

Json = dict[str, Any]

_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cluster:
    """One of the clusters of this machine."""

    name: str

    # Whether its parts can be stopped, its GPUs taken away and images put on its node.
    own = True

    def do(self, *words: str, content: Json | None = None, fails: bool = False) -> str:
        """What `python -m local.cluster ...` printed."""
        return printed(*self._command(*words), content=content, fails=fails)

    def run(self, *words: str, content: Json | None = None, fails: bool = False) -> str:
        """What a command printed that reaches the cluster's pods and Services."""
        return printed(*self._within(*words), content=content, fails=fails)

    @contextmanager
    def spawn(self, *words: str) -> "Iterator[subprocess.Popen[bytes]]":
        """Such a command that goes on beside the test, killed if it has not ended by itself."""
        with subprocess.Popen(self._within(*words), cwd=_ROOT, env=environment()) as process:
            try:
                yield process
            finally:
                process.kill()

    def kubectl(self, *words: str, content: Json | None = None, fails: bool = False) -> str:
        return self.run("kubectl", *words, content=content, fails=fails)

    def helm(self, *words: str, fails: bool = False) -> str:
        return self.run("helm", *words, fails=fails)

    def get(self, *words: str) -> Json:
        found: Json = json.loads(self.kubectl("get", *words, "-o", "json"))
        return found

    @contextmanager
    def door(self, namespace: str, service: str, port: int = 50051) -> Iterator[str]:
        """Where a Service answers, for commands that are run here."""
        address = self.get("service", service, "-n", namespace)["spec"]["clusterIP"]
        # The node knows a Service's pods a moment after they are ready.
        until(lambda: self._reaches(address, port), every=0.1)
        yield f"{address}:{port}"

    def _reaches(self, address: str, port: int) -> bool:
        connect = f"timeout 2 bash -c '</dev/tcp/{address}/{port}' 2>/dev/null"
        return "open" in self.run("sh", "-c", f"{connect} && echo open || true")

    def _command(self, *words: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "local.cluster", "--name", self.name, *words)

    def _within(self, *words: str) -> tuple[str, ...]:
        # Not through the command above: Python takes longer to start than kubectl to answer.
        return within(Place(self.name), words)


def environment() -> dict[str, str]:
    """What commands of ours need to find the project."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(_ROOT), str(_ROOT / "client")))}


def printed(*command: str, content: Json | None = None, fails: bool = False) -> str:
    """What a command wrote: to its output, or why it failed where that is expected."""
    done = subprocess.run(
        command,
        cwd=_ROOT,
        env=environment(),
        input=json.dumps(content) if content else None,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) == fails, f"{command}: {done.stdout}{done.stderr}"
    return done.stderr if fails else done.stdout


def until(there: Callable[[], bool], seconds: float = 60, every: float = 0.5) -> None:
    limit = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < limit, f"not within {seconds} s"
        time.sleep(every)  # asking takes time of the processors, too


def namespace(name: str) -> Json:
    """One that enforces the restricted profile."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def pod(name: str, labels: Json | None = None, **container: Any) -> Json:
    """One that the restricted profile admits."""
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    main = {"name": "main", "imagePullPolicy": "Never", "securityContext": security, **container}
    spec = {"containers": [main], "restartPolicy": "Never", "terminationGracePeriodSeconds": 1}
    metadata = {"name": name, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def gpu_pod(name: str) -> Json:
    """One that holds a GPU and does nothing with it."""
    return pod(name, image=PAUSE, resources={"limits": {"nvidia.com/gpu": 1}})
