"""A release of the chart, as its operator has it: installed, upgraded, rolled back, looked at."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.cluster import network
from tests.e2e.clusters import Cluster, Json, namespace

CHART = "helm/trilens"
PATIENCE = "--timeout=180s"


@dataclass(frozen=True)
class Release:
    """One release in one namespace."""

    cluster: Cluster
    namespace: str
    name: str = "trilens"

    @property
    def fullname(self) -> str:
        """What the names of its objects begin with."""
        return self.name if "trilens" in self.name else f"{self.name}-trilens"

    @property
    def gateway(self) -> str:
        """Its gateway's Deployment and Service."""
        return f"{self.fullname}-gateway"

    def install(self, values: Json, folder: Path, *, wait: bool = True) -> str:
        """Installs it and, unless told otherwise, waits until all of it is ready."""
        return self.helm(*self.command("install", values, folder, wait=wait))

    def command(self, verb: str, values: Json, folder: Path, *, wait: bool = True) -> list[str]:
        """The words for helm that make it exactly so."""
        file = folder / f"{self.name}.json"
        file.write_text(json.dumps(values))
        words = [verb, self.name, CHART, f"--values={file}"]
        return [*words, "--wait", PATIENCE] if wait else words

    def change(self, *settings: str) -> str:
        """Changes some values, and keeps the others."""
        words = [word for setting in settings for word in ("--set", setting)]
        reuse = "--reset-then-reuse-values"
        return self.helm("upgrade", self.name, CHART, reuse, *words, "--wait", PATIENCE)

    def rollback(self, revision: int) -> str:
        """What an operator does at night: helm alone."""
        return self.helm("rollback", self.name, str(revision), "--wait", PATIENCE)

    def revision(self) -> int:
        """The revision that is live."""
        history = json.loads(self.helm("history", self.name, "--max=1", "--output=json"))
        return int(history[-1]["revision"])

    def document(self) -> Json:
        """The release document that is live."""
        found = self.get("configmap", f"{self.fullname}-release")["data"]["release.json"]
        read: Json = json.loads(found)
        return read

    def helm(self, *words: str, fails: bool = False) -> str:
        return self.cluster.helm(*words, "--namespace", self.namespace, fails=fails)

    def kubectl(self, *words: str, content: Json | None = None, fails: bool = False) -> str:
        # First: after `--` words are the pod's.
        return self.cluster.kubectl(
            "--namespace", self.namespace, *words, content=content, fails=fails
        )

    def get(self, *words: str) -> Json:
        return self.cluster.get(*words, "--namespace", self.namespace)

    def pods(self, component: str = "", track: str = "") -> list[Json]:
        """Its pods that are not on their way out."""
        wanted = {
            "app.kubernetes.io/instance": self.name,
            **({"app.kubernetes.io/component": component} if component else {}),
            **({"trilens.dev/track": track} if track else {}),
        }
        selector = ",".join(f"{name}={value}" for name, value in wanted.items())
        found = self.get("pods", f"--selector={selector}")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def ready(self, component: str, track: str = "") -> int:
        """How many of its pods are ready."""
        return sum(is_ready(pod) for pod in self.pods(component, track))

    def metrics(self, pod: Json) -> Mapping[str, float]:
        """What a pod tells at /metrics, by name and labels as they are written there."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}:9090"
        text = self.cluster.kubectl("get", "--raw", f"{path}/proxy/metrics")
        found = re.findall(r"^([a-z_]+(?:\{.*\})?) (\S+)$", text, re.MULTILINE)
        return {name: float(value) for name, value in found}

    @contextmanager
    def doors(self) -> Iterator[str]:
        """The name of its gateways' addresses, for clients who balance their calls themselves."""
        if not self.cluster.own:
            with self.door() as address:
                yield address
            return
        host = f"{self.gateway}-headless.{self.namespace}.svc.{network.DOMAIN}"
        # Asked of the cluster's own name server: commands of this machine know another one.
        yield f"dns://{network.DNS}:53/{host}:50051"

    @contextmanager
    def door(self) -> Iterator[str]:
        """Where its gateway answers."""
        with self.cluster.door(self.namespace, self.gateway) as address:
            yield address

    def uninstall(self) -> None:
        """Takes it away, and waits until its pods have ended."""
        self.helm("uninstall", self.name, "--wait", PATIENCE)
        selector = f"--selector=app.kubernetes.io/instance={self.name}"
        self.kubectl("wait", "pods", selector, "--for=delete", PATIENCE)


@contextmanager
def strict_namespace(cluster: Cluster, name: str) -> Iterator[str]:
    """An empty namespace that enforces the restricted profile; its pods end with the block."""
    cluster.kubectl("create", "--filename=-", content=namespace(name))
    try:
        yield name
    finally:
        cluster.kubectl("delete", "namespace", name, "--wait=false")
        # Nothing is drained: what comes next is to have the machine, and its GPUs, for itself. The
        # rest of the namespace may take its time.
        pods = f"/api/v1/namespaces/{name}/pods?gracePeriodSeconds=0"
        cluster.kubectl("delete", "--raw", pods)


def is_ready(pod: Json) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def merged(*parts: Mapping[str, Any]) -> Json:
    """Values laid over one another, as helm does it."""
    result: Json = {}
    for part in parts:
        for name, value in part.items():
            both = isinstance(value, Mapping) and isinstance(result.get(name), Mapping)
            result[name] = merged(result[name], value) if both else value
    return result
