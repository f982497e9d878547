"""Rollouts where every GPU is taken: they hold and say why, or take one of the stable track's."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.clusters import Cluster, Json, until
from tests.e2e.loading import Calls, loading
from tests.e2e.product import product
from tests.e2e.releases import CHART, Release, merged, strict_namespace
from tests.e2e.rollouts import Rollout
from tests.e2e.values import tiny

pytestmark = pytest.mark.own

NAMESPACE = "rollout-gpus"
STABLE, CANARY = "2.0.0", "2.1.0"
LOAD = "--rate=20"


@pytest.fixture(scope="module")
def release(cluster: Cluster, folder: Path) -> Iterator[Release]:
    """Two detectors on two GPUs: none is left."""
    product(cluster)
    detector = {"version": STABLE, "replicas": 2, "accelerator": {"kind": "whole"}}
    values = merged(tiny("detector"), {"models": {"detector": detector}})
    with strict_namespace(cluster, NAMESPACE):
        release = Release(cluster, NAMESPACE)
        release.install(values, folder)
        yield release


@pytest.fixture
def load(release: Release, tmp_path: Path) -> Iterator[Callable[[], Calls]]:
    """Calls that go on beside the test; what became of them so far."""
    with (
        release.door() as address,
        loading(release.cluster, address, tmp_path / "load", LOAD) as load,
    ):
        yield load.so_far


def allow(release: Release) -> None:
    """What an operator does who can spare a stable pod; it does not wait for the canary's."""
    reuse = ("--reset-then-reuse-values", "--set", "canary.takeFromStable=true")
    release.helm("upgrade", release.name, CHART, *reuse)


def pods(rollout: Rollout) -> tuple[Json, Json]:
    """Ready and wanted pods of the stable track and of the canary."""
    found = rollout.status()
    return found["stable"].get("detector"), found["canary"].get("detector")


def test_without_a_free_gpu_a_rollout_holds_and_says_so_until_one_may_be_taken(
    rollout: Rollout,
    release: Release,
    load: Callable[[], Calls],
    tmp_path: Path,
    note: Callable[..., None],
):
    with rollout.going(tmp_path / "held", "start", f"detector={CANARY}", "--manual") as going:
        going.says("held: no GPU is free for detector")
        shown = " ".join(rollout.run("status").text.split())
        assert "no GPU is free for detector" in shown
        assert "Insufficient nvidia.com/gpu" in shown
        assert pods(rollout) == ([2, 2], [0, 1])
        assert rollout.weights() == {0.0}

        allow(release)
        ended = going.ended()
    assert ended.code == 5, ended.text
    assert "`resume` goes on" in ended.text

    begun = time.time()
    told = rollout.run("resume")
    assert told.code == 0, told.text
    assert "the canary of detector gets that of one stable pod" in told.text
    assert pods(rollout) == ([1, 1], [1, 1])
    assert rollout.weights() == {5.0}
    note(seconds_until_five_percent=round(time.time() - begun, 1))

    begun = time.time()
    told = rollout.run("promote")
    note(seconds_of_the_promotion=round(time.time() - begun, 1), **load().told())
    assert told.code == 0, told.text
    until(lambda: release.ready("detector", "stable") == 2, seconds=120)
    assert release.pods("detector", "canary") == []
    assert load().failed == load().partial == []
    assert load().since(time.time() - 3).versions("objects") <= {CANARY}


def test_an_abort_gives_the_gpu_back(
    rollout: Rollout,
    release: Release,
    load: Callable[[], Calls],
    note: Callable[..., None],
):
    allow(release)
    assert rollout.run("start", f"detector={CANARY}", "--manual").code == 0
    assert pods(rollout) == ([1, 1], [1, 1])

    begun = time.time()
    told = rollout.run("abort")

    assert told.code == 0, told.text
    until(lambda: pods(rollout)[0] == [2, 2], seconds=120)
    note(seconds_until_both_are_back=round(time.time() - begun, 1), **load().told())
    assert release.pods("detector", "canary") == []
    assert load().failed == load().partial == []
