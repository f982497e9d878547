"""Rollouts where a repository says what runs: the tool writes a file, something else applies it."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.e2e.clusters import Cluster, Json, until
from tests.e2e.loading import loading
from tests.e2e.product import product
from tests.e2e.releases import CHART, Release, strict_namespace
from tests.e2e.rollouts import Rollout, comparison
from tests.e2e.values import tiny

NAMESPACE = "gitops"
STABLE, SAME, OTHER = "1.0.0", "1.1.0", "1.2.0"
# Latency is learnt from a thousand calls of the stable track: test_rollout.py waits for them.
QUICK = (
    *("--without", "accuracy", "--without", "latency"),
    *("--calls", "60", "--shadow", "50", "--steps", "25,50"),
)
RATE = "--rate=30"
EVERY_SECONDS = 3.0  # Argo CD's and Flux's own are minutes; a webhook makes them seconds


class Follower:
    """What Argo CD or Flux are here: makes the cluster what the files say, again and again."""

    def __init__(self, release: Release, *files: Path) -> None:
        self._release = release
        self._files = files
        self._applied: list[bytes] = []
        self._ended = threading.Event()
        self.times = 0

    def apply(self) -> None:
        """Once, if a file has changed."""
        wanted = [file.read_bytes() for file in self._files if file.exists()]
        if wanted == self._applied:
            return
        values = [f"--values={file}" for file in self._files if file.exists()]
        self._make(values)
        self._applied = wanted
        self.times += 1

    @contextmanager
    def following(self) -> Iterator[None]:
        """While the block runs."""
        thread = threading.Thread(target=self._follow)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _follow(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            self.apply()

    def _make(self, values: list[str]) -> None:
        raise NotImplementedError


class Flux(Follower):
    """Has Helm make it, as Flux's controller does."""

    def _make(self, values: list[str]) -> None:
        release = self._release
        release.helm("upgrade", "--install", "--reset-values", release.name, CHART, *values)


class Argo(Follower):
    """Renders the chart, applies what comes out, and removes what came out before."""

    def _make(self, values: list[str]) -> None:
        release = self._release
        api = ("--api-versions=v1", "--no-hooks", "--is-upgrade")
        text = release.helm("template", release.name, CHART, *api, *values)
        objects = [one for one in yaml.safe_load_all(text) if one]
        for one in objects:
            one["metadata"].setdefault("labels", {})[_OWNED] = release.name
        content: Json = {"apiVersion": "v1", "kind": "List", "items": objects}
        release.kubectl("apply", "--server-side", "--filename=-", content=content)
        names = {(one["kind"], one["metadata"]["name"]) for one in objects}
        kinds = ",".join(sorted({one["kind"] for one in objects} | {"PodDisruptionBudget"}))
        found = release.get(kinds, f"--selector={_OWNED}={release.name}")["items"]
        for one in found:
            if (one["kind"], one["metadata"]["name"]) not in names:
                release.kubectl("delete", one["kind"], one["metadata"]["name"], "--wait=false")


_OWNED = "argocd.argoproj.io/instance"
FOLLOWERS = {"argo": Argo, "flux": Flux}


@pytest.fixture(params=FOLLOWERS)
def followed(
    cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[Release, Follower, Path]]:
    """A release that is made from two files: its own values, and what the tool writes."""
    product(cluster)
    base, written = tmp_path / "values.json", tmp_path / "rollout.yaml"
    base.write_text(json.dumps(tiny("detector", version=STABLE)))
    with strict_namespace(cluster, f"{NAMESPACE}-{request.param}"):
        release = Release(cluster, f"{NAMESPACE}-{request.param}")
        follower = FOLLOWERS[request.param](release, base, written)
        follower.apply()
        until(lambda: release.ready("detector") == release.ready("gateway") == 2, seconds=180)
        with follower.following():
            yield release, follower, written


def test_a_good_canary_is_promoted_and_a_bad_one_reverted_by_the_file_alone(
    followed: tuple[Release, Follower, Path], tmp_path: Path, note: Callable[..., None]
):
    release, follower, written = followed
    rollout = Rollout(release, options=("--gitops", str(written)))
    with (
        release.door() as address,
        loading(release.cluster, address, tmp_path / "load", RATE) as load,
    ):
        begun = time.time()
        compared = comparison(tmp_path, STABLE, SAME)
        told = rollout.run("start", f"detector={SAME}", *QUICK, "--comparison", compared)
        promoted = time.time() - begun
        assert told.code == 0, told.text
        assert yaml.safe_load(written.read_text())["models"]["detector"] == {"version": SAME}
        until(lambda: release.pods("detector", "canary") == [], seconds=120)
        stable = load.so_far()

        begun = time.time()
        compared = comparison(tmp_path, SAME, OTHER)
        told = rollout.run("start", f"detector={OTHER}", *QUICK, "--comparison", compared)
        reverted = time.time() - begun
        until(lambda: release.pods("detector", "canary") == [], seconds=120)
        until(lambda: "canary" not in load.so_far().since(time.time() - 3).lanes)
    calls = load.so_far()

    note(
        seconds_of_the_promotion=round(promoted, 1),
        seconds_of_the_reversal=round(reverted, 1),
        applied=follower.times,
        why=rollout.status()["reason"],
        **calls.told(),
    )
    assert told.code == 1, told.text
    assert "agreement objects boxes" in rollout.status()["reason"]
    assert yaml.safe_load(written.read_text())["models"]["detector"] == {"version": SAME}
    assert stable.failed == stable.partial == []
    assert calls.failed == calls.partial == []
    assert calls.since(time.time() - 3).versions("objects") <= {SAME}
