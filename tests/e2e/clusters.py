"""A cluster as tests use it: its commands, kubectl, and waiting."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.cluster.oci import PAUSE

Json = dict[str, Any]


@dataclass(frozen=True)
class Cluster:
    """One of the clusters of this machine."""

    name: str

    def do(self, *words: str, content: Json | None = None, fails: bool = False) -> str:
        """What `python -m local.cluster ...` printed."""
        done = subprocess.run(
            (sys.executable, "-m", "local.cluster", "--name", self.name, *words),
            input=json.dumps(content) if content else None,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) == fails, f"{words}: {done.stdout}{done.stderr}"
        return done.stderr if fails else done.stdout

    def kubectl(self, *words: str, content: Json | None = None, fails: bool = False) -> str:
        return self.do("run", "kubectl", *words, content=content, fails=fails)

    def get(self, *words: str) -> Json:
        found: Json = json.loads(self.kubectl("get", *words, "-o", "json"))
        return found


def until(there: Callable[[], bool], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < limit, f"not within {seconds} s"
        time.sleep(0.2)


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
