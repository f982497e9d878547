"""Rollouts on a cluster: step by step, judged, promoted and taken back, and beside plain Helm."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.clusters import until
from tests.e2e.loading import loading
from tests.e2e.releases import Release
from tests.e2e.rollouts import Rollout, comparison

NAMESPACE = "rollouts"
STABLE, SAME, OTHER = "1.0.0", "1.1.0", "1.2.0"
CANARY = f"detector={SAME}"
# Tiny packages on a small machine: a step takes some ten seconds instead of minutes.
QUICK = ("--without", "accuracy", "--calls", "60", "--shadow", "50")
# What two cores answer beside the cluster itself, the tool and the copies for the canary.
RATE = "--rate=40"
UNJUDGED = ("--without", "agreement", "--without", "accuracy")


@pytest.fixture
def rollout(release: Release) -> Iterator[Rollout]:
    rollout = Rollout(release)
    yield rollout
    rollout.run("abort")


@pytest.fixture(scope="module")
def address(release: Release) -> Iterator[str]:
    with release.door() as address:
        yield address


def versions(release: Release) -> dict[str, str]:
    document = release.get("configmap", "trilens-release")["data"]["release.json"]
    return {"stable": STABLE if f'"version":"{STABLE}"' in document else "other"}


def test_by_hand_each_step_stands_on_every_gateway_before_it_is_said(rollout: Rollout):
    told = rollout.run("start", CANARY, "--manual")

    assert told.code == 0, told.text
    assert rollout.weights() == {5.0}
    for weight, pods in ((25.0, 1), (50.0, 2)):
        told = rollout.run("step")
        assert told.code == 0, told.text
        found = rollout.status()
        assert set(found["gateways"].values()) == {weight}
        assert found["canary"]["detector"][0] >= pods
        assert found["stable"]["detector"] == [2, 2]


def test_two_at_once_refuse_each_other_and_say_who_is_at_it(rollout: Rollout, folder: Path):
    with rollout.going(folder / "first", "start", CANARY, *UNJUDGED) as first:
        first.says("5 % stands")

        refused = rollout.run("step")
        again = rollout.run("start", CANARY, *UNJUDGED)

        assert refused.code == again.code == 4
        assert f"process {first.process.pid}" in refused.text
        assert "since" in refused.text
        assert first.process.poll() is None


def test_plain_helm_always_means_what_a_revision_says(rollout: Rollout, release: Release):
    before = release.revision()
    rollout.run("start", CANARY, "--manual")
    started = release.revision()
    rollout.run("step")
    rollout.run("step")
    assert rollout.weights() == {50.0}

    release.change("canary.weight=30")
    until(lambda: rollout.weights() == {30.0})
    # No field is in dispute although the tool scaled the canary: helm needs no force.
    release.rollback(started)
    until(lambda: rollout.weights() == {0.0})

    assert rollout.run("resume").code == 0
    assert rollout.weights() == {50.0}
    # The revision that is live changes nothing, and yet it says 0 %.
    release.rollback(release.revision())
    until(lambda: rollout.weights() == {0.0})

    release.rollback(before)
    until(lambda: release.pods("detector", "canary") == [])
    told = rollout.run("resume")
    assert told.code == 1, told.text
    assert "has no canary" in told.text


def test_a_good_canary_is_promoted_and_no_call_is_lost(
    rollout: Rollout,
    release: Release,
    address: str,
    folder: Path,
    note: Callable[..., None],
):
    compared = comparison(folder, STABLE, SAME)
    begun = time.time()
    with loading(release.cluster, address, folder / "promoted", RATE) as load:
        words = (*QUICK, "--steps", "10,100", "--comparison", compared)
        told = rollout.run("start", CANARY, *words)
        until(lambda: "canary" not in load.so_far().since(time.time() - 3).lanes)
    calls = load.so_far()

    note(seconds=round(time.time() - begun, 1), **calls.told())
    assert told.code == 0, told.text
    assert calls.failed == calls.partial == []
    assert calls.since(time.time() - 3).versions("objects") <= {SAME}
    until(lambda: release.pods("detector", "canary") == [])
    assert rollout.status()["phase"] == "promoted"
    # One command takes all of it back: weights, versions, replicas.
    release.helm(*rollout.status()["back"].split()[1:4])
    until(lambda: versions(release)["stable"] == STABLE)


def test_a_canary_that_predicts_otherwise_is_rolled_back_by_its_predictions(
    rollout: Rollout, release: Release, address: str, folder: Path, note: Callable[..., None]
):
    compared = comparison(folder, STABLE, OTHER)
    begun = time.time()
    with loading(release.cluster, address, folder / "other", RATE) as load:
        told = rollout.run("start", f"detector={OTHER}", *QUICK, "--comparison", compared)
    calls = load.so_far()

    note(seconds=round(time.time() - begun, 1), **calls.told())
    assert told.code == 1, told.text
    assert "agreement objects boxes" in told.text
    assert calls.failed == []
    assert rollout.status()["phase"] == "aborted"
    until(lambda: release.pods("detector", "canary") == [])


def test_an_abort_is_obeyed_by_whoever_is_at_it_within_thirty_seconds(
    rollout: Rollout, release: Release, address: str, folder: Path, note: Callable[..., None]
):
    with (
        loading(release.cluster, address, folder / "abort", RATE) as load,
        rollout.going(folder / "aborted", "start", CANARY, *UNJUDGED, "--steps", "50") as first,
    ):
        first.says("50 % stands")
        until(lambda: load.so_far().since(time.time() - 3).lanes.get("canary", 0) > 20)
        begun = time.time()
        told = rollout.run("abort")
        finished = time.time()
        until(lambda: time.time() > finished + 5)
        ended = first.ended()
    calls = load.so_far()
    last = max(line["at"] for line in calls.lines if line.get("lane") == "canary")

    note(
        seconds_until_the_last_canary_answer=round(last - begun, 1),
        seconds_of_the_command=round(finished - begun, 1),
        **calls.told(),
    )
    assert told.code == 0, told.text
    assert ended.code == 1, ended.text
    assert last - begun < 30
    assert calls.failed == calls.partial == []
    until(lambda: release.pods("detector", "canary") == [])
