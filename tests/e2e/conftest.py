"""Tests on a real cluster: `make e2e`; they need root and Go, so nothing else collects them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clusters import Cluster
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

_REPORT = pytest.StashKey[Report]()
_PHASES = pytest.StashKey[dict[str, float]]()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster that most tests share: started for them, or that of the current context."""
    if CURRENT:
        yield Outside("current")
        return
    cluster = Cluster(NAME)
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
def note(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Takes figures into the report."""

    def note(**figures: Any) -> None:
        request.config.stash[_REPORT].note(_name(request.node), **figures)

    return note


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_REPORT] = Report()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not CURRENT:
        return
    for item in items:
        if item.get_closest_marker("own"):
            item.add_marker(pytest.mark.skip(reason="needs a cluster of this machine"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    phases = item.stash.setdefault(_PHASES, {})
    phases[report.when] = report.duration
    if report.when == "call" or report.outcome != "passed":
        item.stash.setdefault(_OUTCOME, report.outcome)
    if report.when == "teardown":
        outcome = item.stash.get(_OUTCOME, report.outcome)
        item.config.stash[_REPORT].ended(_name(item), outcome, phases)
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    terminalreporter.section("report")
    terminalreporter.write(config.stash[_REPORT].text())


_OUTCOME = pytest.StashKey[str]()


def _name(item: pytest.Item) -> str:
    return f"{item.path.stem.removeprefix('test_')}: {item.name.removeprefix('test_')}"
