"""Scaling: replicas follow the queue, up and down, and new pods get their share of the calls."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.e2e.clusters import Cluster, Json, until
from tests.e2e.loading import loading, rest
from tests.e2e.releases import Release, merged
from tests.e2e.values import tiny

NAMESPACE = "scaling"
SETTLED_SECONDS = 15.0  # after a pod became ready
MEASURED_SECONDS = 15.0
LEAST_SHARE = 0.8
SHARED = ("--retries", "--rate=40")
HELD_SECONDS = 30.0  # thrice as long as fewer have to suffice before pods go

Noting = Callable[..., None]


def answered(release: Release, component: str) -> Mapping[str, tuple[float, float]]:
    """For each pod the time, and how many calls it has answered until then."""
    found = {}
    for pod in release.pods(component):
        told = release.metrics(pod)
        counts = [n for name, n in told.items() if name.startswith("trilens_rpc_seconds_count{")]
        found[pod["metadata"]["name"]] = (time.monotonic(), sum(counts))
    return found


def shares(release: Release, component: str) -> Mapping[str, float]:
    """What each pod gets of the calls from now on, as a multiple of a fair share."""
    before = answered(release, component)
    rest(MEASURED_SECONDS)
    after = answered(release, component)
    rates = {
        name: (after[name][1] - count) / (after[name][0] - moment)
        for name, (moment, count) in before.items()
    }
    fair = sum(rates.values()) / len(rates)
    return {name: rate / fair for name, rate in rates.items()}


# Elsewhere all calls go through one gateway.
@pytest.mark.parametrize("component", [pytest.param("gateway", marks=pytest.mark.own), "detector"])
def test_new_pods_get_their_share_of_the_calls_soon(
    cluster: Cluster, fresh: Release, tmp_path: Path, note: Noting, component: str
):
    fresh.install(tiny("detector", replicas=1), tmp_path)
    with fresh.doors() as address, loading(cluster, address, tmp_path / "calls", *SHARED):
        old = {pod["metadata"]["name"] for pod in fresh.pods(component)}
        deployment = f"{fresh.fullname}-{component}"
        fresh.kubectl("scale", "deployment", deployment, "--replicas=3")
        until(lambda: fresh.ready(component) == 3, seconds=120)
        rest(SETTLED_SECONDS)
        found = shares(fresh, component)

    new = [share for name, share in found.items() if name not in old]
    note(shares_of_new_pods=[round(share, 2) for share in new])
    assert len(new) == 2
    assert min(new) >= LEAST_SHARE


def scaled() -> Json:
    """A detector with few photos per second, and KEDA to give it more replicas."""
    keda = {
        "queueSeconds": 0.2,
        "pollingInterval": 2,
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 10}},
    }
    # 30 ms for two photos: a replica does 67 a second, of the 100 that come.
    slow = {
        "version": "2.0.0",
        "settings": {"max_batch": 2, "max_waiting": 64},
        "scaling": {"mode": "keda", "min": 1, "max": 3, "keda": keda},
    }
    # What is too much is refused at once: calls that wait until they are late only keep cores busy.
    refusing = {"settings": {"max_waiting": 64}}
    return merged(tiny("detector", replicas=1), {"gateway": refusing, "models": {"detector": slow}})


@pytest.mark.own  # elsewhere KEDA may be missing
def test_replicas_follow_the_queue_up_stay_and_go_down(
    cluster: Cluster, fresh: Release, tmp_path: Path, note: Noting
):
    cluster.do("add", "keda")
    fresh.install(scaled(), tmp_path)

    with fresh.doors() as address, loading(cluster, address, tmp_path / "calls") as load:
        begun = time.monotonic()
        until(lambda: fresh.ready("detector") >= 2, seconds=180)
        up = time.monotonic() - begun
        until(lambda: not load.so_far().since(time.time() - 10).troubled, seconds=120)
        enough, settled = time.monotonic() - begun, time.time()
        fewest = least_ready(fresh, HELD_SECONDS)
        held = load.so_far().since(settled)
    ended = time.monotonic()
    until(lambda: len(fresh.pods("detector")) == 1, seconds=300)

    note(
        seconds_until_two_are_ready=round(up, 1),
        seconds_until_all_are_answered=round(enough, 1),
        fewest_while_the_load_stands=fewest,
        refused_meanwhile=len(held.troubled),
        seconds_until_one_is_left=round(time.monotonic() - ended, 1),
        **load.so_far().told(),
    )
    # Those that are enough have no queue, and stay none the less.
    assert fewest >= 2
    assert held.troubled == []


def least_ready(release: Release, seconds: float) -> int:
    """The fewest pods that were ready at a time, over a while."""
    limit = time.monotonic() + seconds
    fewest = release.ready("detector")
    while time.monotonic() < limit:
        rest(1.0)
        fewest = min(fewest, release.ready("detector"))
    return fewest
