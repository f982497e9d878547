"""The test cluster itself: real pods, simulated GPUs, and nothing that stays behind."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from local.cluster import network
from local.cluster.oci import PAUSE
from local.cluster.place import Living, Place
from tests.e2e.clusters import Cluster, gpu_pod, namespace, pod, until
from tests.e2e.machine import OWN, Machine

pytestmark = pytest.mark.own

NAME = OWN


@pytest.fixture(scope="module")
def before() -> Machine:
    return Machine.now()


@pytest.fixture(scope="module")
def cluster(before: Machine) -> Iterator[Cluster]:
    cluster = Cluster(NAME)
    try:
        cluster.do("up")
        cluster.kubectl("create", "--filename=-", content=namespace("strict"))
        yield cluster
    finally:
        cluster.do("down")


def phase(cluster: Cluster, name: str) -> str:
    return str(cluster.get("pod", name, "-n", "strict")["status"]["phase"])


def phases(cluster: Cluster) -> dict[str, str]:
    pods = cluster.get("pods", "-A")["items"]
    return {pod["metadata"]["uid"]: pod["status"]["phase"] for pod in pods}


def start(cluster: Cluster, name: str) -> None:
    cluster.kubectl("create", "-n", "strict", "--filename=-", content=gpu_pod(name))


def test_starting_a_cluster_that_runs_changes_nothing(cluster: Cluster):
    first = Living.read(Place(NAME))

    cluster.do("up")

    assert Living.read(Place(NAME)) == first


def test_the_restricted_profile_refuses_a_pod_that_may_gain_privileges(cluster: Cluster):
    loose = pod("loose", image=PAUSE, securityContext={"allowPrivilegeEscalation": True})

    refusal = cluster.kubectl("create", "-n", "strict", "--filename=-", content=loose, fails=True)

    assert "allowPrivilegeEscalation" in refusal


def test_two_pods_get_a_gpu_each_and_a_third_waits_until_one_is_free(cluster: Cluster):
    for name in ("one", "two"):
        start(cluster, name)
        until(lambda name=name: phase(cluster, name) == "Running")
    start(cluster, "three")
    until(lambda: "conditions" in cluster.get("pod", "three", "-n", "strict")["status"])
    (condition,) = cluster.get("pod", "three", "-n", "strict")["status"]["conditions"]
    assert "Insufficient nvidia.com/gpu" in condition["message"]

    cluster.kubectl("delete", "pod", "one", "-n", "strict")

    until(lambda: phase(cluster, "three") == "Running")


def test_a_lost_gpu_is_taken_from_the_node_and_comes_back(cluster: Cluster):
    def gpus() -> str:
        return str(cluster.get("node", NAME)["status"]["allocatable"]["nvidia.com/gpu"])

    assert gpus() == "2"
    cluster.do("gpu", "gpu-1", "lost")
    until(lambda: gpus() == "1")
    cluster.do("gpu", "gpu-1", "healthy")
    until(lambda: gpus() == "2")


def test_names_of_services_are_known_and_all_others_are_denied_at_once(cluster: Cluster):
    def ask(name: str) -> str:
        return cluster.do("run", sys.executable, "-m", "tests.e2e.dns", name).strip()

    assert ask("kubernetes.default.svc.cluster.local") == network.API
    assert ask("example.com") == "code 3"


def test_nothing_in_the_clusters_network_reaches_beyond_it(cluster: Cluster):
    outside = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=1)"

    refusal = cluster.do("run", "python3", "-c", outside, fails=True)

    assert "Error" in refusal


def test_a_second_cluster_beside_it_disturbs_neither(cluster: Cluster):
    other = Cluster(f"{OWN}-2")
    pods = phases(cluster)
    try:
        other.do("up")
        assert other.get("pods", "-n", "default")["items"] == []
        assert cluster.get("node", NAME)["status"]["allocatable"]["nvidia.com/gpu"] == "2"
    finally:
        other.do("down")
    assert phases(cluster) == pods


def test_the_api_server_can_be_away_and_come_back(cluster: Cluster):
    cluster.do("stop", "kube-apiserver")
    assert "refused" in cluster.kubectl("get", "nodes", fails=True)

    cluster.do("start", "kube-apiserver")

    until(lambda: "ok" in cluster.do("run", "sh", "-c", "kubectl get --raw /readyz || true"))
    assert phase(cluster, "three") == "Running"


def test_after_a_cluster_was_killed_the_next_start_finds_a_clean_place(cluster: Cluster):
    killed = Living.read(Place(NAME))
    assert killed is not None
    os.kill(killed.pid, signal.SIGKILL)
    until(lambda: Living.read(Place(NAME)) is None)

    cluster.do("up")

    assert cluster.get("pods", "-n", "default")["items"] == []


def test_nothing_stays_behind(cluster: Cluster, before: Machine, note: Callable[..., None]):
    begun = time.monotonic()
    cluster.do("down")
    note(seconds_down=round(time.monotonic() - begun, 1))

    limit = time.monotonic() + 60
    while left := Machine.now().left_since(before):
        assert time.monotonic() < limit, left
        time.sleep(0.5)
