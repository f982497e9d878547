"""Upgrades, evictions and outages under constant load, by clients without any retries of their own.

Only a process that is killed outright costs calls; for that there are the published retries.
"""

import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from local.cluster.product import REGISTRY, TAG, TINY
from tests.e2e.clusters import Cluster, until
from tests.e2e.loading import Calls, Load, loading, rest
from tests.e2e.product import product
from tests.e2e.releases import Release, strict_namespace
from tests.e2e.values import tiny

NAMESPACE = "upgrades"
RATE = 100
# Somewhat less than asked for: the sender shares the machine with all that it asks.
LEAST_RATE = 95
COMPONENTS = ("gateway", "detector")
UPGRADES = 3
AWAY_SECONDS = 60.0
OTHER = "-other"  # ends the tags of another version's images
# Longer than an idle connection lives, so that calls meet what comes after, too.
AFTERWARDS_SECONDS = 10.0

Noting = Callable[..., None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("upgrades")


@pytest.fixture(scope="module")
def release(cluster: Cluster, folder: Path) -> Iterator[Release]:
    """Two gateways, two detectors."""
    product(cluster)
    with strict_namespace(cluster, NAMESPACE):
        release = Release(cluster, NAMESPACE)
        release.install(tiny("detector"), folder)
        yield release


@pytest.fixture
def under_load(
    release: Release, folder: Path, request: pytest.FixtureRequest, note: Noting
) -> Iterator[Load]:
    """Calls at a constant rate before, during and after what the test does; told in the report."""
    file = folder / request.node.name
    words = ["--retries"] if request.node.get_closest_marker("retries") else []
    with release.doors() as address, loading(release.cluster, address, file, *words) as load:
        until(lambda: len(load.so_far().lines) > RATE)
        yield load
    note(**load.so_far().told())


def evict(release: Release, pod: str) -> None:
    """As a drain of its node does it: again and again until the budget allows it."""
    until(lambda: "429" not in eviction(release, pod), seconds=180)
    release.kubectl("wait", f"pod/{pod}", "--for=delete", "--timeout=180s")


def eviction(release: Release, pod: str) -> str:
    """What the API server says to it."""
    path = f"/api/v1/namespaces/{release.namespace}/pods/{pod}/eviction"
    content = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    file = Path(tempfile.mkdtemp()) / "eviction.json"
    file.write_text(json.dumps(content))
    return release.cluster.run("sh", "-c", f"kubectl create --raw {path} -f {file} 2>&1 || true")


def kill(release: Release, pod: str) -> None:
    """Ends its server at once, as a lack of memory does."""
    found = release.get("pod", pod)["status"]["containerStatuses"][0]
    container = found["containerID"].rpartition("/")[2]
    before = found["restartCount"]
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if container in (folder / "cgroup").read_text():
                os.kill(int(folder.name), signal.SIGKILL)

    def restarted() -> bool:
        (now,) = release.get("pod", pod)["status"]["containerStatuses"]
        return bool(now["restartCount"] > before)

    until(restarted, seconds=120)


def all_answered(found: Calls) -> bool:
    """Whether each call was answered in full, and as many came as were to come."""
    assert [*found.failed[:3], *found.partial[:3]] == []
    assert found.rate >= LEAST_RATE
    return True


@pytest.mark.parametrize("component", COMPONENTS)
def test_rolling_upgrades_lose_no_call(release: Release, under_load: Load, component: str):
    where = component if component == "gateway" else f"models.{component}"
    for number in range(UPGRADES):
        before = {pod["metadata"]["uid"] for pod in release.pods(component)}
        # Another pod template, as another image makes it.
        release.change(f"{where}.podAnnotations.upgrade=number-{number}")
        assert not before & {pod["metadata"]["uid"] for pod in release.pods(component)}
    rest(AFTERWARDS_SECONDS)

    assert all_answered(under_load.so_far())


def test_another_version_of_a_model_comes_without_a_lost_call(release: Release, under_load: Load):
    release.change("models.detector.version=1.1.0")
    rest(AFTERWARDS_SECONDS)
    release.change("models.detector.version=1.0.0")

    found = under_load.so_far()
    assert all_answered(found)
    assert found.versions("objects") == {"1.0.0", "1.1.0"}


@pytest.mark.own  # names images anew
def test_gateways_and_services_of_different_images_lose_no_call(release: Release, under_load: Load):
    """Gateways first, then services, as an upgrade may happen to do it; then all of it back."""
    for target, tag in (("gateway", TAG), ("detector", TINY)):
        image = f"{REGISTRY}/{target}"
        release.cluster.do("tag", f"{image}:{tag}", f"{image}:{tag}{OTHER}")
    before = release.revision()

    release.change(f"gateway.image.tag={TAG}{OTHER}")
    assert (tags(release, "gateway"), tags(release, "detector")) == ({TAG + OTHER}, {TINY})
    rest(AFTERWARDS_SECONDS)
    release.change(f"modelDefaults.image.tag={TINY}{OTHER}")
    assert tags(release, "detector") == {TINY + OTHER}
    rest(AFTERWARDS_SECONDS)
    release.rollback(before)
    assert (tags(release, "gateway"), tags(release, "detector")) == ({TAG}, {TINY})
    rest(AFTERWARDS_SECONDS)

    assert all_answered(under_load.so_far())


def tags(release: Release, component: str) -> set[str]:
    """Of the images that its pods run."""
    images = [pod["spec"]["containers"][0]["image"] for pod in release.pods(component)]
    return {image.rpartition(":")[2] for image in images}


def test_evicting_every_pod_in_turn_loses_no_call(release: Release, under_load: Load):
    for component in COMPONENTS:
        for pod in release.pods(component):
            evict(release, pod["metadata"]["name"])
            until(lambda component=component: release.ready(component) == 2, seconds=180)
    rest(AFTERWARDS_SECONDS)

    assert all_answered(under_load.so_far())


@pytest.mark.own  # nothing is scheduled meanwhile
def test_a_budget_keeps_the_last_pod_from_being_evicted(release: Release, note: Noting):
    first, second = (pod["metadata"]["name"] for pod in release.pods("gateway"))
    nodes = [node["metadata"]["name"] for node in release.cluster.get("nodes")["items"]]

    release.cluster.kubectl("cordon", *nodes)  # as a drain does; so no other pod takes its place
    try:
        evict(release, first)
        refusal = eviction(release, second)
    finally:
        release.cluster.kubectl("uncordon", *nodes)

    note(refusal=refusal.strip())
    assert "disruption budget" in refusal
    until(lambda: release.ready("gateway") == 2, seconds=180)


@pytest.mark.own
def test_the_api_server_may_be_away_for_a_minute(release: Release, under_load: Load):
    release.cluster.do("stop", "kube-apiserver")
    rest(AWAY_SECONDS)
    release.cluster.do("start", "kube-apiserver")
    until(lambda: "ok" in release.cluster.run("sh", "-c", "kubectl get --raw /readyz || true"))
    rest(AFTERWARDS_SECONDS)

    assert all_answered(under_load.so_far())


@pytest.mark.own
@pytest.mark.retries
@pytest.mark.parametrize("component", COMPONENTS)
def test_a_killed_process_costs_no_call_that_is_retried(
    release: Release, under_load: Load, component: str
):
    """At worst an answer lacks a feature, and says why."""
    for pod in release.pods(component):
        kill(release, pod["metadata"]["name"])
        until(lambda: release.ready(component) == 2, seconds=180)
    rest(AFTERWARDS_SECONDS)

    found = under_load.so_far()
    assert found.failed == []
    assert found.rate >= LEAST_RATE
