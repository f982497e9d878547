"""Network policies on real pods: what is forbidden is tried, and fails."""

from collections.abc import Iterator

import pytest

from local.cluster import network
from local.cluster.oci import PROBE
from tests.e2e.clusters import Cluster, Json, pod, until

pytestmark = pytest.mark.own

NAMESPACE = "policies"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster("policies")
    try:
        cluster.do("up")
        _put_pods_on(cluster)
        yield cluster
    finally:
        cluster.do("down")


def _put_pods_on(cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", NAMESPACE)
    for name in ("server", "friend", "stranger"):
        create(cluster, pod(name, image=PROBE, args=["serve", ":8080"], labels={"app": name}))
    ports = [{"port": 80, "targetPort": 8080}]
    spec = {"selector": {"app": "server"}, "ports": ports}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "server"}, "spec": spec}
    create(cluster, service)
    cluster.kubectl("wait", "pods", "--all", "-n", NAMESPACE, "--for=condition=Ready")
    until(lambda: reaches(cluster, "friend", "server:80"))


@pytest.fixture(autouse=True)
def _without_policies(cluster: Cluster) -> Iterator[None]:
    yield
    cluster.kubectl("delete", "networkpolicies", "--all", "-n", NAMESPACE)


def create(cluster: Cluster, content: Json) -> None:
    cluster.kubectl("create", "-n", NAMESPACE, "--filename=-", content=content)


def policy(**spec: object) -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"generateName": "test-"},
        "spec": {"podSelector": {}, **spec},
    }


def reaches(cluster: Cluster, source: str, target: str) -> bool:
    ask = ("kubectl", "exec", "-n", NAMESPACE, source, "--", "/probe", "reach", target)
    words = " ".join(ask)
    return "reached" in cluster.do("run", "sh", "-c", f"{words} 2>&1 || true")


def test_without_a_policy_every_pod_reaches_the_service(cluster: Cluster):
    assert reaches(cluster, "friend", "server:80")
    assert reaches(cluster, "stranger", "server.policies.svc.cluster.local:80")


def test_a_policy_lets_in_whom_it_names_and_nobody_else(cluster: Cluster):
    friends = {"podSelector": {"matchLabels": {"app": "friend"}}}
    create(cluster, policy(policyTypes=["Ingress"], ingress=[{"from": [friends]}]))

    until(lambda: not reaches(cluster, "stranger", "server:80"), 10)
    assert reaches(cluster, "friend", "server:80")


def test_a_policy_closes_the_way_out_to_pods_the_api_server_and_dns(cluster: Cluster):
    create(cluster, policy(policyTypes=["Egress"], egress=[]))

    until(lambda: not reaches(cluster, "friend", "server:80"), 10)
    assert not reaches(cluster, "friend", f"{network.API}:443")


def test_a_pod_that_a_policy_is_about_is_closed_from_its_first_packet(cluster: Cluster):
    create(cluster, policy(policyTypes=["Egress"], egress=[]))
    until(lambda: not reaches(cluster, "friend", f"{network.API}:443"), 10)

    create(cluster, pod("early", image=PROBE, args=["reach", f"{network.API}:443"]))

    status = ("pod", "early", "-n", NAMESPACE)
    until(lambda: cluster.get(*status)["status"]["phase"] in ("Failed", "Succeeded"))
    assert cluster.get(*status)["status"]["phase"] == "Failed"


def test_probes_of_the_kubelet_pass_closed_policies(cluster: Cluster):
    create(cluster, policy(policyTypes=["Ingress", "Egress"], ingress=[], egress=[]))
    probe = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    create(cluster, pod("probed", image=PROBE, args=["serve", ":8080"], readinessProbe=probe))

    cluster.kubectl("wait", "pod/probed", "-n", NAMESPACE, "--for=condition=Ready")
