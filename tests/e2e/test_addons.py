"""What can be put on the test cluster: played nodes, the metrics of pods, and KEDA."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.cluster import network
from local.cluster.oci import PAUSE, PROBE
from tests.e2e.clusters import Cluster, Json, pod, until
from tests.e2e.nodes import TAINT, ZONE, forget, node, play

pytestmark = pytest.mark.own

NAMESPACE = "addons"


@pytest.fixture(scope="module", autouse=True)
def _namespace(cluster: Cluster) -> Iterator[None]:
    cluster.kubectl("create", "namespace", NAMESPACE)
    yield
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def deployment(name: str, replicas: int, template: Json) -> Json:
    labels = {"app": name}
    spec = {**template["spec"], "restartPolicy": "Always"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def ready(cluster: Cluster, name: str) -> int:
    status = cluster.get("deployment", name, "-n", NAMESPACE)["status"]
    return int(status.get("readyReplicas", 0))


def test_pods_run_on_played_nodes_and_spread_over_their_zones(
    cluster: Cluster, note: Callable[..., None]
):
    play(cluster, [node(f"played-{n}", f"zone-{n % 4}") for n in range(20)])
    template = pod("played", image=PAUSE)
    template["spec"] |= {
        "nodeSelector": {"type": "kwok"},
        "tolerations": [{"key": TAINT["key"], "operator": "Exists"}],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": ZONE,
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": "played"}},
            }
        ],
    }
    begun = time.monotonic()
    cluster.kubectl("create", "--filename=-", content=deployment("played", 40, template))

    until(lambda: ready(cluster, "played") == 40, seconds=120)

    note(seconds_until_40_are_ready=round(time.monotonic() - begun, 1))
    pods = cluster.get("pods", "-n", NAMESPACE, "--selector=app=played")["items"]
    zones = Counter(f"zone-{int(pod['spec']['nodeName'].split('-')[1]) % 4}" for pod in pods)
    assert set(zones.values()) == {10}
    cluster.kubectl("delete", "deployment", "played", "-n", NAMESPACE)
    forget(cluster)


def test_the_cpu_time_of_pods_is_known(cluster: Cluster):
    cluster.do("add", "metrics-server")
    server = pod("measured", image=PROBE, args=["serve", ":8080"])
    cluster.kubectl("create", "-n", NAMESPACE, "--filename=-", content=server)

    ask = f"kubectl top pods -n {NAMESPACE} 2>&1 || true"
    until(lambda: "measured" in cluster.run("sh", "-c", ask), seconds=120)


@pytest.fixture
def figure(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    """A page that pods can read, served from this node; it tells how much waits."""
    page = tmp_path / "metrics"
    page.write_text("waiting 0\n")
    served = ("-m", "http.server", "--bind", network.NODE, "--directory", str(tmp_path), "8765")
    with cluster.spawn(sys.executable, *served):
        yield page


def test_keda_follows_a_figure_up_and_down(
    cluster: Cluster, figure: Path, note: Callable[..., None]
):
    cluster.do("add", "keda")
    template = pod("worker", image=PAUSE)
    cluster.kubectl("create", "--filename=-", content=deployment("worker", 1, template))
    cluster.kubectl("create", "--filename=-", content=scaled("worker"))
    until(lambda: ready(cluster, "worker") == 1)

    begun = time.monotonic()
    figure.write_text("waiting 30\n")
    until(lambda: ready(cluster, "worker") == 3, seconds=120)
    up = time.monotonic() - begun
    figure.write_text("waiting 0\n")
    until(lambda: ready(cluster, "worker") == 1, seconds=180)

    note(seconds_up=round(up, 1), seconds_down=round(time.monotonic() - begun - up, 1))


def scaled(name: str) -> Json:
    trigger = {
        "url": f"http://{network.NODE}:8765/metrics",
        "format": "prometheus",
        "valueLocation": "waiting",
        "targetValue": "10",
    }
    at_once = {"scaleDown": {"stabilizationWindowSeconds": 0}}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "scaleTargetRef": {"name": name},
            "minReplicaCount": 1,
            "maxReplicaCount": 3,
            "pollingInterval": 2,
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": at_once}},
            "triggers": [{"type": "metrics-api", "metadata": trigger}],
        },
    }
