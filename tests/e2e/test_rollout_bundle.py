"""Rollouts of two models at once: promoted together, and taken back together if one is bad."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.clusters import Cluster, until
from tests.e2e.loading import Calls, loading
from tests.e2e.product import product
from tests.e2e.releases import Release, strict_namespace
from tests.e2e.rollouts import Rollout, Told, comparison
from tests.e2e.values import tiny

NAMESPACE = "bundle"
MODELS = {"detector": "objects", "classifier": "attributes"}
STABLE, SAME, OTHER = "1.0.0", "1.1.0", "1.2.0"
# Latency is learnt from a thousand calls of the stable track: test_rollout.py waits for them.
QUICK = (
    *("--without", "accuracy", "--without", "latency"),
    *("--calls", "60", "--shadow", "50", "--steps", "25,100"),
)
RATE = "--rate=30"


@pytest.fixture(scope="module")
def release(cluster: Cluster, folder: Path) -> Iterator[Release]:
    """Two gateways, a detector and a classifier of version 1.0.0, two pods each."""
    product(cluster)
    with strict_namespace(cluster, NAMESPACE):
        release = Release(cluster, NAMESPACE)
        release.install(tiny(*MODELS, version=STABLE), folder)
        yield release


def rolled_out(rollout: Rollout, folder: Path, versions: dict[str, str]) -> tuple[Told, Calls]:
    """Starts a rollout of these under load; how it ended, and what callers met."""
    words = [f"{model}={version}" for model, version in versions.items()]
    for model, version in versions.items():
        words += ["--comparison", comparison(folder, STABLE, version, MODELS[model])]
    file = folder / "-".join(versions.values())
    with (
        rollout.release.door() as address,
        loading(rollout.release.cluster, address, file, RATE) as load,
    ):
        told = rollout.run("start", *QUICK, *words)
        until(lambda: "canary" not in load.so_far().since(time.time() - 3).lanes)
    return told, load.so_far()


def met(calls: Calls) -> set[tuple[str, str]]:
    """The versions of the two models that answered one call, of all calls."""
    return {(line["versions"]["objects"], line["versions"]["attributes"]) for line in calls.lines}


def no_canary(release: Release) -> bool:
    return not any(release.pods(model, "canary") for model in MODELS)


def test_two_good_canaries_are_promoted_together_and_never_mixed(
    rollout: Rollout, release: Release, folder: Path, note: Callable[..., None]
):
    begun = time.time()
    told, calls = rolled_out(rollout, folder, dict.fromkeys(MODELS, SAME))

    note(seconds=round(time.time() - begun, 1), **calls.told())
    assert told.code == 0, told.text
    assert calls.failed == calls.partial == []
    assert met(calls) == {(STABLE, STABLE), (SAME, SAME)}
    assert met(calls.since(time.time() - 3)) <= {(SAME, SAME)}
    until(lambda: no_canary(release))


def test_a_bundle_that_would_not_come_to_all_callers_is_refused(rollout: Rollout):
    # Some would meet the stable pods while these are replaced, one model after the other.
    words = [f"{model}={SAME}" for model in MODELS]

    refused = rollout.run("start", *words, "--manual", "--steps", "5,50")
    assert refused.code == 2
    assert "100" in refused.text

    assert rollout.run("start", *words, "--manual").code == 0
    refused = rollout.run("promote", "--here")
    assert refused.code == 2
    assert "100" in refused.text


@pytest.mark.parametrize("bad", MODELS)
def test_one_bad_canary_takes_the_other_back_with_it(
    rollout: Rollout, release: Release, folder: Path, note: Callable[..., None], bad: str
):
    versions = {model: OTHER if model == bad else SAME for model in MODELS}
    begun = time.time()
    told, calls = rolled_out(rollout, folder, versions)

    why = rollout.status()["reason"]
    note(seconds=round(time.time() - begun, 1), why=why, **calls.told())
    assert told.code == 1, told.text
    assert f"agreement {MODELS[bad]}" in why
    assert calls.failed == calls.partial == []
    assert met(calls) == {(STABLE, STABLE), (versions["detector"], versions["classifier"])}
    until(lambda: no_canary(release))
