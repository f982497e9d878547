"""Evictions and outages under constant load, by clients without any retries of their own.

Only a process that is killed outright costs calls; for that there are the published retries.
"""

import json
import os
import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.clusters import until
from tests.e2e.loading import LEAST_RATE, Load, all_answered, rest
from tests.e2e.releases import Release

NAMESPACE = "outages"
COMPONENTS = ("gateway", "detector")
AWAY_SECONDS = 60.0
# Longer than an idle connection lives, so that calls meet what comes after, too.
AFTERWARDS_SECONDS = 7.0  # as after upgrades

Noting = Callable[..., None]


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


@pytest.mark.own  # elsewhere all calls go through one gateway, and end with it
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
