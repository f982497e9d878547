"""Wrong installs: each ends in one clear message where an operator looks first."""

from pathlib import Path

import pytest

from local.cluster import network
from tests.e2e.clusters import Cluster, Json, until
from tests.e2e.downloads import PORT, address, served
from tests.e2e.releases import Release, merged
from tests.e2e.values import tiny

NAMESPACE = "wrong"
VERSION = "1.0.0"
NOWHERE = f"http://{network.NODE}:1/objects.tar.gz"
DIGEST = "0" * 64


def detector(**own: object) -> Json:
    """A detector, and what is wrong with it."""
    return merged(tiny("detector", replicas=1), {"models": {"detector": own}})


def said(release: Release) -> str:
    """What `kubectl describe pod` says about the detector: states of containers, and events."""
    return release.kubectl("describe", "pods", "--selector=app.kubernetes.io/component=detector")


def test_a_version_that_is_not_there_is_named_in_the_pods_status(fresh: Release, tmp_path: Path):
    fresh.install(detector(version="9.9.9"), tmp_path, wait=False)

    until(lambda: "/models/objects/9.9.9" in said(fresh), seconds=180)


def test_too_small_a_memory_limit_is_told_as_such(fresh: Release, tmp_path: Path):
    small = {"requests": {"cpu": "20m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}}

    fresh.install(detector(resources=small), tmp_path, wait=False)

    until(lambda: "OOMKilled" in said(fresh), seconds=180)


def test_a_gpu_that_no_node_has_is_named_by_the_scheduler(fresh: Release, tmp_path: Path):
    none_such = {"kind": "whole", "resource": "example.com/gpu-of-tomorrow"}

    fresh.install(detector(accelerator=none_such), tmp_path, wait=False)

    until(lambda: "Insufficient example.com/gpu-of-tomorrow" in said(fresh), seconds=60)


def downloaded(uri: str) -> Json:
    """A detector whose package comes from there."""
    where = {"networkPolicy": {"packages": [{"ports": [{"port": PORT}, {"port": 1}]}]}}
    package = {"source": "download", "uri": uri, "sha256": DIGEST}
    return merged(detector(package=package), where)


def test_an_unreachable_package_is_named_with_the_reason(fresh: Release, tmp_path: Path):
    fresh.install(downloaded(NOWHERE), tmp_path, wait=False)

    until(lambda: NOWHERE in said(fresh) and "refused" in said(fresh).lower(), seconds=180)


@pytest.mark.own  # pods reach this machine
def test_a_package_with_another_digest_is_refused_and_both_are_told(
    cluster: Cluster, fresh: Release, tmp_path: Path
):
    with served(cluster, tmp_path, VERSION):
        fresh.install(downloaded(address(VERSION)), tmp_path, wait=False)

        until(lambda: DIGEST in last_message(fresh), seconds=180)

    assert address(VERSION) in last_message(fresh) or "digest" in last_message(fresh)


def last_message(release: Release) -> str:
    """The last words of the container that fetches the package."""
    (pod,) = release.pods("detector")
    words = []
    for status in pod["status"].get("initContainerStatuses", ()):
        for state in (status["state"], status["lastState"]):
            words += [told.get("message", "") for told in state.values()]
    return " ".join(words)


def test_helm_refuses_a_value_that_does_not_exist_and_names_it(fresh: Release, tmp_path: Path):
    words = fresh.command("install", detector(replica=3), tmp_path)

    refusal = fresh.helm(*words, fails=True)

    assert "replica" in refusal
    assert "models" in refusal
