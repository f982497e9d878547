"""Nodes that kwok plays: hundreds of them, with any resources, on which pods run at once."""

from collections.abc import Sequence

from tests.e2e.clusters import Cluster, Json

ZONE = "topology.kubernetes.io/zone"
TAINT = {"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}


def node(name: str, zone: str, labels: Json | None = None, **resources: str) -> Json:
    """A node of that zone; nothing lands on it that does not tolerate being played."""
    there = {"cpu": "32", "memory": "256Gi", "pods": "110", **resources}
    own = {"type": "kwok", "kubernetes.io/hostname": name, ZONE: zone, **(labels or {})}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": own,
            "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"},
        },
        "spec": {"taints": [TAINT]},
        "status": {"allocatable": there, "capacity": there},
    }


def play(cluster: Cluster, nodes: Sequence[Json]) -> None:
    """Adds nodes and waits until all of them are ready."""
    cluster.do("add", "kwok")
    listed = {"apiVersion": "v1", "kind": "List", "items": list(nodes)}
    cluster.kubectl("apply", "--server-side", "--filename=-", content=listed)
    names = [f"node/{node['metadata']['name']}" for node in nodes]
    cluster.kubectl("wait", *names, "--for=condition=Ready", "--timeout=120s")


def forget(cluster: Cluster) -> None:
    """Takes all of them away."""
    cluster.kubectl("delete", "nodes", "--selector=type=kwok", "--wait=false")
