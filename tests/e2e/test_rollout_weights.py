"""Rollouts of real weights: a twin is promoted, one with swapped channels is taken back.

Load and probes are the built-in photos: 218 real ones, sent by callers of their own in turn.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from rollout.probes import BUILT_IN
from services.packages import Package
from tests.e2e.clusters import Cluster, printed, until
from tests.e2e.loading import Calls, loading
from tests.e2e.packages import OBJECTS, renamed, swapped
from tests.e2e.product import product
from tests.e2e.releases import Release, merged, strict_namespace
from tests.e2e.rollouts import Rollout
from tests.e2e.values import MODELS, REAL

pytestmark = [pytest.mark.weights, pytest.mark.own]

NAMESPACE = "weights"
STABLE, TWIN, SWAPPED = "1.1.0", "1.1.1", "1.1.2"
PHOTOS = BUILT_IN.parent / "photos"
# Two cores answer this beside the copies and the probes, and little more.
LOAD = ("--rate=3", f"--photos={PHOTOS}", f"--callers={len(list(PHOTOS.iterdir()))}")
# Times are not judged: quantiles take a thousand calls, which take too long here.
QUICK = ("--shadow", "100", "--calls", "60", "--photos", "150", "--without", "latency")


@pytest.fixture(scope="module")
def packages(cluster: Cluster, folder: Path) -> Mapping[str, Package]:
    """The two canaries by version, as images on the node."""
    made = {TWIN: renamed(folder, TWIN), SWAPPED: swapped(folder, SWAPPED)}
    cluster.do("package", *(str(package.path) for package in made.values()))
    return made


@pytest.fixture(scope="module")
def release(cluster: Cluster, folder: Path) -> Iterator[Release]:
    """Two gateways, the detector's own image with its own package."""
    product(cluster)
    others = {name: {"enabled": False} for name in MODELS if name != "detector"}
    with strict_namespace(cluster, NAMESPACE):
        release = Release(cluster, NAMESPACE)
        release.install(merged(REAL, {"models": others}), folder)
        yield release


@pytest.fixture(scope="module")
def comparison(packages: Mapping[str, Package], folder: Path) -> Path:
    """What the operator found for the twin: the network is the same, so nothing differs."""
    file = folder / "comparison.json"
    command = (sys.executable, "-m", "rollout", "compare")
    printed(*command, str(OBJECTS), str(packages[TWIN].path), str(PHOTOS), "--out", str(file))
    return file


def canary(version: str, folder: Path) -> tuple[str, ...]:
    """The canary's values: its package is an image of its own."""
    image = {"repository": "trilens/packages/objects"}
    own = {"version": version, "package": {"source": "image", "image": image}}
    file = folder / f"{version}.yaml"
    file.write_text(yaml.safe_dump({"models": {"detector": {"canary": own}}}))
    return ("--values", str(file))


def rolled_out(
    rollout: Rollout, folder: Path, version: str, *words: str
) -> tuple[int, str, Calls, float]:
    """Rolls out under load: exit code, words, calls, seconds."""
    with (
        rollout.release.door() as address,
        loading(rollout.release.cluster, address, folder / f"load-{version}", *LOAD) as load,
    ):
        begun = time.time()
        own = canary(version, folder)
        probed = ("--probes", "built-in", "--gateway", address)
        told = rollout.run("start", *own, *QUICK, *probed, *words)
        seconds = time.time() - begun
        return told.code, told.text, load.so_far(), seconds


def judged(rollout: Rollout) -> dict[str, object]:
    """What had been gathered in the end: photos compared and different, probes lost and won."""
    kept = rollout.release.get("configmap", "trilens-rollout-state")["data"]["state.json"]
    evidence = json.loads(kept)["record"]["evidence"]
    return {
        "boxes": evidence["agreement objects boxes"]["tracks"]["canary"],
        "probes": evidence["accuracy objects"]["pairs"],
    }


def test_the_same_weights_under_another_version_are_promoted(
    rollout: Rollout, comparison: Path, folder: Path, note: Callable[..., None]
):
    words = ("--steps", "50", "--comparison", str(comparison))
    code, text, calls, seconds = rolled_out(rollout, folder, TWIN, *words)

    note(seconds=round(seconds), judged=judged(rollout), **calls.told())
    assert code == 0, text
    assert calls.failed == calls.partial == []
    until(lambda: rollout.release.pods("detector", "canary") == [])


def test_swapped_channels_are_rolled_back_by_what_they_predict(
    rollout: Rollout, comparison: Path, folder: Path, note: Callable[..., None]
):
    # The network was compared, and exported in another order of colours afterwards.
    said = json.loads(comparison.read_text()) | {"canary": SWAPPED}
    other = folder / "swapped.json"
    other.write_text(json.dumps(said))

    words = ("--steps", "5,50", "--comparison", str(other))
    code, text, calls, seconds = rolled_out(rollout, folder, SWAPPED, *words)

    why = rollout.status()["reason"]
    note(seconds=round(seconds), why=why, judged=judged(rollout), **calls.told())
    assert code == 1, text
    assert "agreement objects" in why
    assert calls.failed == []
    until(lambda: rollout.release.pods("detector", "canary") == [])
