"""Tests on a real cluster: `make e2e`; they need root and Go, so nothing else collects them.

Files are spread over workers. Each has a cluster of its own, so that tests beside each other share
the machine and nothing else: one may stop its API server while another one counts lost calls.
"""

import itertools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clusters import Cluster, until
from tests.e2e.loading import RATE, Load, loading
from tests.e2e.outside import Outside
from tests.e2e.product import product
from tests.e2e.releases import PATIENCE, Release, strict_namespace
from tests.e2e.report import Report
from tests.e2e.rollouts import Rollout
from tests.e2e.values import tiny

collect_ignore_glob = [] if os.environ.get("TRILENS_E2E") else ["test_*.py"]

NAME = os.environ.get("E2E_CLUSTER", "e2e")
CURRENT = os.environ.get("E2E_CONTEXT") == "current"
KEPT = bool(os.environ.get("E2E_KEEP"))

_NUMBERS = itertools.count(1)

# Files that take longest begin first, so that workers end at about the same time; those that send
# full loads, which take turns, not one after the other.
_LONG = (
    *("test_autoscalers", "test_rollout", "test_upgrades", "test_rollout_gitops"),
    *("test_outages", "test_rollout_killed", "test_rollout_bundle", "test_scaling"),
    *("test_rollout_gpus", "test_rollout_canaries", "test_packages", "test_placement"),
    *("test_addons", "test_canary", "test_cluster", "test_gpus", "test_install"),
)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """This worker's cluster, started for its tests; or that of the current context."""
    if CURRENT:
        yield Outside("current")
        return
    cluster = _cluster_of(os.environ.get("PYTEST_XDIST_WORKER", ""))
    if not KEPT:
        cluster.do("down")  # of a run that was killed
    try:
        cluster.do("up")
        yield cluster
    finally:
        if not KEPT:
            cluster.do("down")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the files of one module's tests."""
    return tmp_path_factory.mktemp("e2e")


@pytest.fixture
def fresh(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Release]:
    """One that is not installed yet, for this test alone, in a namespace of its own."""
    product(cluster)
    # That of the test before may still be on its way out.
    name = f"{request.module.NAMESPACE}-{next(_NUMBERS)}"
    with strict_namespace(cluster, name) as namespace:
        yield Release(cluster, namespace)


@pytest.fixture(scope="module")
def release(request: pytest.FixtureRequest, cluster: Cluster, folder: Path) -> Iterator[Release]:
    """Two gateways, two detectors of version 1.0.0, in the module's own namespace; revision 1."""
    product(cluster)
    with strict_namespace(cluster, request.module.NAMESPACE) as namespace:
        release = Release(cluster, namespace)
        release.install(tiny("detector", version="1.0.0"), folder)
        yield release


@pytest.fixture
def rollout(release: Release) -> Iterator[Rollout]:
    """The tool for that release; afterwards the release is what it was."""
    before = release.revision()
    rollout = Rollout(release)
    yield rollout
    rollout.run("abort")
    release.helm("rollback", release.name, str(before), "--force-conflicts", "--wait", PATIENCE)


@pytest.fixture
def under_load(
    release: Release, folder: Path, request: pytest.FixtureRequest, note: Callable[..., None]
) -> Iterator[Load]:
    """Calls at a constant rate before, during and after what the test does; told in the report."""
    file = folder / request.node.name
    words = ["--retries"] if request.node.get_closest_marker("retries") else []
    with release.doors() as address, loading(release.cluster, address, file, *words) as load:
        until(lambda: len(load.so_far().lines) > RATE)
        yield load
    note(**load.so_far().told())


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Takes figures into the report."""

    def note(**figures: Any) -> None:
        request.node.user_properties.append(("figures", json.dumps(figures)))

    return note


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Report())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {name: rank for rank, name in enumerate(_LONG)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(ranks)))
    if not CURRENT:
        return
    for item in items:
        if item.get_closest_marker("own"):
            item.add_marker(pytest.mark.skip(reason="needs a cluster of this machine"))


def pytest_testnodedown(node: Any, error: object) -> None:
    if error and not CURRENT and not KEPT:
        _cluster_of(node.gateway.id).do("down")


def _cluster_of(worker: str) -> Cluster:
    return Cluster(f"{NAME}-{worker}" if worker else NAME)
