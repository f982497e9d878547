"""A fresh install: it comes up where the restricted profile is enforced, answers, and is closed."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.cluster import network
from local.cluster.oci import PROBE
from tests.e2e.answers import analyze, difference, make_run
from tests.e2e.clusters import Cluster, Json, pod, until
from tests.e2e.loading import calls
from tests.e2e.product import product
from tests.e2e.releases import Release, merged, strict_namespace
from tests.e2e.values import PHOTO, REAL, tiny

pytestmark = pytest.mark.core

NAMESPACE = "install"
COLLECTOR = f"{network.NODE}:4317"


@pytest.fixture(scope="module")
def spans(cluster: Cluster, folder: Path) -> Iterator[Path]:
    """Every span of the pods, from their start: who finds nobody there waits ever longer."""
    file = folder / "spans"
    if not cluster.own:  # its pods do not reach this machine
        yield file
        return
    with cluster.spawn(sys.executable, "-m", "tests.e2e.spans", COLLECTOR, str(file)):
        until(file.exists)
        yield file


@pytest.fixture(scope="module")
def release(cluster: Cluster, spans: Path, folder: Path) -> Iterator[Release]:
    """The real models, with the chart's own replicas and policies."""
    product(cluster)
    traced = {"telemetry": {"otlpEndpoint": f"http://{COLLECTOR}"}} if cluster.own else {}
    with strict_namespace(cluster, NAMESPACE):
        release = Release(cluster, NAMESPACE)
        release.install(merged(REAL, traced), folder)
        yield release


def test_every_pod_is_ready_under_the_restricted_profile(release: Release):
    assert release.ready("gateway") == 2
    for model in ("classifier", "captioner", "detector"):
        assert release.ready(model) == 1


def test_helms_own_test_passes(release: Release):
    said = release.helm("test", release.name, "--timeout=120s")

    assert "Succeeded" in said


def test_the_first_calls_after_an_install_are_answered_in_full(
    cluster: Cluster, fresh: Release, tmp_path: Path
):
    fresh.install(tiny("detector"), tmp_path)
    with fresh.doors() as address:
        found = calls(cluster, address, tmp_path / "calls", "--calls=200")

    assert len(found.lines) == 200
    assert found.failed == found.partial == []


def test_a_photo_gets_the_answer_that_make_run_gives(cluster: Cluster, release: Release):
    with make_run() as address:
        expected = analyze(None, address, PHOTO)

    with release.door() as address:
        answer = analyze(cluster, address, PHOTO)

    assert difference(answer, expected) == ""


@pytest.mark.own  # pods reach this machine
def test_one_call_is_one_trace_across_four_pods(
    cluster: Cluster, release: Release, spans: Path, note: Callable[..., None]
):
    def traces_of(call: str) -> list[list[Json]]:
        traces: dict[str, list[Json]] = {}
        *whole, _ = spans.read_text().split("\n")  # the rest is a line that is being written
        for line in whole:
            span = json.loads(line)
            traces.setdefault(span["trace"], []).append(span)
        return [one for one in traces.values() if call in {span["request"] for span in one}]

    with release.door() as address:
        call = analyze(cluster, address, PHOTO)["requestId"]
    # Each process sends its spans when it likes: the last ones may still be on their way.
    until(lambda: any(map(is_one_tree, traces_of(call))))

    (tree,) = traces_of(call)
    note(spans=len(tree))
    assert is_one_tree(tree)


def is_one_tree(spans: list[Json]) -> bool:
    """Whether all but one hang on another one of them, across four pods."""
    known = {span["span"] for span in spans}
    roots = [span for span in spans if span["parent"] not in known]
    return len(roots) == 1 and len({span["pod"] for span in spans}) == 4


def test_a_second_release_beside_it_answers_for_itself(
    cluster: Cluster, release: Release, folder: Path
):
    second = Release(cluster, NAMESPACE, "second")
    second.install(tiny("detector", replicas=1), folder)
    try:
        with second.door() as address:
            answer = analyze(cluster, address, PHOTO)
        with release.door() as address:
            other = analyze(cluster, address, PHOTO)
    finally:
        second.uninstall()
    assert set(answer["outcomes"]) == {"objects"}
    assert set(other["outcomes"]) == {"attributes", "captions", "objects"}
    assert release.ready("gateway") == 2


@pytest.fixture
def stranger(release: Release) -> Iterator[Callable[[str], bool]]:
    """A pod of somebody else in the same namespace: whether it reaches an address."""
    content = pod("stranger", image=PROBE, args=["serve", ":8080"])
    release.kubectl("create", "--filename=-", content=content)
    release.kubectl("wait", "pod/stranger", "--for=condition=Ready", "--timeout=60s")

    def reaches(address: str) -> bool:
        ask = f"kubectl exec -n {NAMESPACE} stranger -- /probe reach {address} 2>&1 || true"
        return "reached" in release.cluster.run("sh", "-c", ask)

    yield reaches
    release.kubectl("delete", "pod", "stranger", "--wait=false")


@pytest.mark.own  # policies are enforced here; elsewhere that depends on the cluster
def test_a_stranger_reaches_the_gateway_and_none_of_the_models(
    release: Release, stranger: Callable[[str], bool]
):
    (detector,) = release.pods("detector")

    until(lambda: stranger(f"{release.gateway}:50051"))
    assert not stranger(f"{detector['status']['podIP']}:50051")
    assert not stranger(f"{detector['status']['podIP']}:9090")


@pytest.mark.own
def test_a_model_reaches_neither_the_api_server_nor_another_model(release: Release):
    (detector,) = release.pods("detector")
    (captioner,) = release.pods("captioner")
    name = detector["metadata"]["name"]

    def reaches(address: str, port: int) -> bool:
        code = f"import socket; socket.create_connection(({address!r}, {port}), timeout=2)"
        ask = f'kubectl exec -n {NAMESPACE} {name} -- python -c "{code}" 2>&1 && echo reached'
        return "reached" in release.cluster.run("sh", "-c", f"{ask} || true")

    assert reaches("localhost", 50051)
    assert not reaches("kubernetes.default.svc", 443)
    assert not reaches(captioner["status"]["podIP"], 50051)
