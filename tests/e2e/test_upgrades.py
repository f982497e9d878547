"""Upgrades under constant load, by clients without any retries of their own: no call is lost."""

import os

import pytest

from local.cluster.images import archive
from local.cluster.product import REGISTRY, TAG, TINY
from tests.e2e.loading import Load, all_answered, rest
from tests.e2e.releases import Release

NAMESPACE = "upgrades"
# Elsewhere all calls go through one gateway, and end with it.
COMPONENTS = (pytest.param("gateway", marks=pytest.mark.own), "detector")
UPGRADES = 3
OTHER = "-other"  # ends the tags of another version's images
# Whether those were built, of another checkout; else they are these ones' second names.
BUILT = bool(os.environ.get("E2E_OTHER"))
# Longer than an idle connection lives, so that calls meet what comes after, too.
AFTERWARDS_SECONDS = 7.0  # connections are renewed after 5 s, and end within another half


@pytest.mark.parametrize("component", COMPONENTS)
def test_rolling_upgrades_lose_no_call(release: Release, under_load: Load, component: str):
    where = component if component == "gateway" else f"models.{component}"
    for number in range(UPGRADES):
        before = {pod["metadata"]["uid"] for pod in release.pods(component)}
        # Another pod template, as another image makes it.
        release.change(f"{where}.podAnnotations.upgrade=number-{number}")
        assert not before & {pod["metadata"]["uid"] for pod in release.pods(component)}
    rest(AFTERWARDS_SECONDS)

    assert all_answered(under_load.so_far())


def test_another_version_of_a_model_comes_without_a_lost_call(release: Release, under_load: Load):
    release.change("models.detector.version=1.1.0")
    rest(AFTERWARDS_SECONDS)
    release.change("models.detector.version=1.0.0")

    found = under_load.so_far()
    assert all_answered(found)
    assert found.versions("objects") == {"1.0.0", "1.1.0"}


@pytest.mark.own  # names images anew
def test_gateways_and_services_of_different_images_lose_no_call(release: Release, under_load: Load):
    """Gateways first, then services, as an upgrade may happen to do it; then all of it back."""
    for target, tag in (("gateway", TAG), ("detector", TINY)):
        image = f"{REGISTRY}/{target}:{tag}"
        if BUILT:
            release.cluster.do("load", str(archive(f"{image}{OTHER}")))
        else:
            release.cluster.do("tag", image, f"{image}{OTHER}")
    before = release.revision()

    release.change(f"gateway.image.tag={TAG}{OTHER}")
    assert (tags(release, "gateway"), tags(release, "detector")) == ({TAG + OTHER}, {TINY})
    rest(AFTERWARDS_SECONDS)
    release.change(f"modelDefaults.image.tag={TINY}{OTHER}")
    assert tags(release, "detector") == {TINY + OTHER}
    rest(AFTERWARDS_SECONDS)
    release.rollback(before)
    assert (tags(release, "gateway"), tags(release, "detector")) == ({TAG}, {TINY})
    rest(AFTERWARDS_SECONDS)

    assert all_answered(under_load.so_far())


def tags(release: Release, component: str) -> set[str]:
    """Of the images that its pods run."""
    images = [pod["spec"]["containers"][0]["image"] for pod in release.pods(component)]
    return {image.rpartition(":")[2] for image in images}
