"""Canaries of other kinds: with an image and a package of their own, or started by Helm alone."""

import json
from pathlib import Path

import pytest
import yaml

from tests.e2e.clusters import Cluster, until
from tests.e2e.releases import Release
from tests.e2e.rollouts import Rollout

NAMESPACE = "canaries"
STABLE, CANARY = "1.0.0", "1.1.0"
PACKAGE = f"build/tiny/objects/{CANARY}"
# The canary's server is another image, without packages; its package is an image as well.
OWN = {
    "version": CANARY,
    "image": {"tag": "0.1.0"},
    "package": {"source": "image", "image": {"repository": "trilens/packages/objects"}},
}


def images(release: Release, track: str) -> set[tuple[str, str]]:
    """Image and package of each pod of the detector's track."""
    found = set()
    for pod in release.pods("detector", track):
        mounted = (one["image"]["reference"] for one in pod["spec"]["volumes"] if "image" in one)
        found.add((pod["spec"]["containers"][0]["image"], next(mounted, "baked")))
    return found


@pytest.mark.own  # an image is put on its node
def test_a_canarys_image_and_package_become_the_models(
    cluster: Cluster, release: Release, rollout: Rollout, tmp_path: Path
):
    cluster.do("package", PACKAGE)
    file = tmp_path / "canary.yaml"
    file.write_text(yaml.safe_dump({"models": {"detector": {"canary": OWN}}}))
    had = {("localhost/trilens/detector:0.1.0-tiny", "baked")}
    new = {("localhost/trilens/detector:0.1.0", "localhost/trilens/packages/objects:1.1.0")}

    told = rollout.run("start", "--values", str(file), "--manual")
    assert told.code == 0, told.text
    assert (images(release, "stable"), images(release, "canary")) == (had, new)

    told = rollout.run("promote")
    assert told.code == 0, told.text
    until(lambda: (images(release, "stable"), images(release, "canary")) == (new, set()))
    values = json.loads(release.helm("get", "values", release.name, "--output=json"))
    assert OWN.items() <= values["models"]["detector"].items()

    release.helm(*rollout.status()["back"].split()[1:4], "--wait")
    until(lambda: images(release, "stable") == had)


def test_a_canary_that_helm_started_is_taken_over_where_it_stands(
    release: Release, rollout: Rollout
):
    before = release.document()
    release.change(f"models.detector.canary.version={CANARY}", "canary.weight=10")
    until(lambda: rollout.weights() == {10.0})

    refused = rollout.run("start", "detector=1.2.0", "--manual")
    assert refused.code == 2
    assert f"`start detector={CANARY}` takes it over" in refused.text

    told = rollout.run("start", f"detector={CANARY}", "--manual")
    assert told.code == 0, told.text
    assert "takes over, from 10 %" in told.text
    assert rollout.status()["step"] == 10
    assert rollout.weights() == {10.0}
    assert rollout.run("step").code == 0
    assert rollout.weights() == {25.0}

    told = rollout.run("abort")
    assert told.code == 0, told.text
    assert release.document() == before
    until(lambda: release.pods("detector", "canary") == [])


def test_a_canary_that_was_taken_over_is_promoted_like_any_other(
    release: Release, rollout: Rollout
):
    release.change(f"models.detector.canary.version={CANARY}", "canary.weight=40")

    told = rollout.run("start", f"detector={CANARY}", "--manual", "--steps", "5,50")
    assert told.code == 0, told.text
    assert rollout.run("promote", "--here").code == 0
    assert release.document()["stable"] == {"objects": {"version": CANARY}}
    assert release.document()["canary"] == {}
