"""A canary with helm alone: its share of calls, who meets it, and the way back."""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.clusters import Cluster, until
from tests.e2e.loading import Calls, calls, loading
from tests.e2e.releases import Release

pytestmark = pytest.mark.core

NAMESPACE = "canary"
STABLE, CANARY = "1.0.0", "1.1.0"
CALLERS = 2000
# A fair share is further away than this once in 15,000 times.
SIGMAS = 4.0


@pytest.fixture(scope="module")
def address(release: Release) -> Iterator[str]:
    with release.door() as address:
        yield address


@pytest.fixture(scope="module")
def canary(release: Release) -> None:
    """A tenth of the calls is for version 1.1.0, and every gateway knows; revision 2."""
    release.change(f"models.detector.canary.version={CANARY}", "canary.weight=10")
    until(lambda: weights(release) == {10.0}, seconds=60)


@pytest.fixture(scope="module")
def split(cluster: Cluster, release: Release, address: str, canary: None, folder: Path) -> Calls:
    """A call by each of many callers: who asks twice would count twice."""
    words = (f"--calls={CALLERS}", f"--callers={CALLERS}", "--rate=500")
    return calls(cluster, address, folder / "split", *words)


def weights(release: Release) -> set[float]:
    """The shares that the gateways send to a canary now; one that is not usable gets none."""
    found = set()
    for pod in release.pods("gateway"):
        told = release.metrics(pod)
        (info,) = [name for name in told if name.startswith("trilens_release_info{")]
        weight = float(info.partition('weight="')[2].partition('"')[0])
        found.add(weight if told["trilens_canary_usable"] else 0.0)
    return found


def test_a_tenth_of_the_callers_meets_the_canary(split: Calls, note: Callable[..., None]):
    note(**split.told())

    assert split.failed == split.partial == []
    share = split.lanes["canary"] / CALLERS
    assert abs(share - 0.1) < SIGMAS * math.sqrt(0.1 * 0.9 / CALLERS)


def test_the_lane_that_an_answer_names_is_the_version_that_answered(split: Calls):
    met = {(line["lane"], line["versions"]["objects"]) for line in split.lines}

    assert met == {("stable", STABLE), ("canary", CANARY)}


def test_callers_keep_their_lane_whichever_gateway_they_meet(
    cluster: Cluster, address: str, split: Calls, folder: Path
):
    words = (f"--calls={CALLERS}", f"--callers={CALLERS}", "--rate=500", "--channels=3")

    again = calls(cluster, address, folder / "again", *words)

    assert again.lanes_of_callers() == split.lanes_of_callers()


def test_a_larger_weight_only_moves_callers_to_the_canary(
    cluster: Cluster, release: Release, address: str, split: Calls, folder: Path
):
    words = (f"--calls={CALLERS}", f"--callers={CALLERS}", "--rate=500")
    release.change("canary.weight=40")
    try:
        until(lambda: weights(release) == {40.0})
        more = calls(cluster, address, folder / "more", *words)
    finally:
        release.change("canary.weight=10")
    until(lambda: weights(release) == {10.0})

    def on_canary(found: Calls) -> set[int]:
        return {caller for caller, met in found.lanes_of_callers().items() if met == {"canary"}}

    assert on_canary(split) < on_canary(more)


@pytest.mark.parametrize("lane", ["stable", "canary"])
def test_a_tester_chooses_the_lane(
    cluster: Cluster, address: str, canary: None, folder: Path, lane: str
):
    chosen = calls(cluster, address, folder / lane, "--calls=50", f"--lane={lane}")

    assert dict(chosen.lanes) == {lane: 50}


def test_helm_rollback_takes_everyone_off_the_canary_and_loses_no_call(
    cluster: Cluster,
    release: Release,
    address: str,
    canary: None,
    folder: Path,
    note: Callable[..., None],
):
    with loading(cluster, address, folder / "rollback", "--rate=100") as load:
        until(lambda: load.so_far().lanes.get("canary", 0) > 20)
        begun = time.time()
        release.rollback(1)
        finished = time.time()
        until(lambda: "canary" not in load.so_far().since(time.time() - 3).lanes)
        until(lambda: time.time() > finished + 5)
    found = load.so_far()
    last = max(line["at"] for line in found.lines if line.get("lane") == "canary")

    note(seconds_until_the_last_canary_answer=round(last - begun, 1), **found.told())
    assert found.failed == found.partial == []
    assert last - begun < 30
    assert {*found.since(finished).lanes} == {"stable"}
    assert release.pods("detector", "canary") == []
