"""Packages that are in no image: each way that brings one to its pods, and its next version."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.answers import analyze
from tests.e2e.clusters import Cluster, Json, until
from tests.e2e.downloads import MADE, PORT, address, served
from tests.e2e.releases import PATIENCE, Release, merged
from tests.e2e.values import PHOTO, tiny

NAMESPACE = "packages"
OLD, NEW = "1.0.0", "1.1.0"

# The published image: it has the default packages, and none of the tiny ones.
WITHOUT: Json = {"tag": "0.1.0"}

pytestmark = pytest.mark.own  # files and a server of this machine


def test_a_package_is_downloaded_from_a_web_server(
    cluster: Cluster, fresh: Release, tmp_path: Path
):
    opened = {"networkPolicy": {"packages": [{"ports": [{"port": PORT}]}]}}
    with served(cluster, tmp_path, OLD, NEW):
        fresh.install(merged(detector(**downloaded(OLD)), opened), tmp_path)
        assert answers(fresh) == OLD

        becomes_new(fresh, merged(detector(**downloaded(NEW)), opened), tmp_path)


def test_a_package_lies_on_a_volume(cluster: Cluster, fresh: Release, tmp_path: Path):
    for version in (OLD, NEW):
        shutil.copytree(MADE / version, tmp_path / "objects" / version)
    tmp_path.chmod(0o755)  # pods are other users than the one who filled it
    package = {"source": "pvc", "claim": "packages"}
    with volume(cluster, fresh, tmp_path):
        fresh.install(detector(version=OLD, package=package), tmp_path)
        assert answers(fresh) == OLD

        becomes_new(fresh, detector(version=NEW, package=package), tmp_path)


def test_a_package_is_an_image_volume(cluster: Cluster, fresh: Release, tmp_path: Path):
    package = {"source": "image", "image": {"repository": "trilens/packages/objects"}}
    for version in (OLD, NEW):
        cluster.do("package", str(MADE / version))

    fresh.install(detector(version=OLD, package=package), tmp_path)
    assert answers(fresh) == OLD

    becomes_new(fresh, detector(version=NEW, package=package), tmp_path)


def detector(**own: object) -> Json:
    """One detector and one gateway; the detector's image lacks what it is to serve."""
    return merged(tiny("detector", replicas=1), {"models": {"detector": {"image": WITHOUT, **own}}})


def downloaded(version: str) -> Json:
    """A version from this machine's web server."""
    digest = hashlib.sha256((MADE / version / "manifest.json").read_bytes()).hexdigest()
    package = {"source": "download", "uri": address(version), "sha256": digest}
    return {"version": version, "package": package}


def becomes_new(release: Release, values: Json, folder: Path) -> None:
    """An upgrade to exactly these values; the pod before answers until it is found to leave."""
    release.helm(*release.command("upgrade", values, folder))
    until(lambda: answers(release) == NEW)


def answers(release: Release) -> str:
    """The version that finds a photo's objects."""
    with release.door() as door:
        answer = analyze(release.cluster, door, PHOTO)
    assert answer["outcomes"]["objects"]["state"] == "STATE_OK", answer
    return str(answer["outcomes"]["objects"]["model"]["version"])


@contextmanager
def volume(cluster: Cluster, release: Release, folder: Path) -> Iterator[None]:
    """A folder of the node as a volume that many may read, with a claim named `packages`."""
    name = release.namespace
    shared = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    capacity = {"storage": "1Gi"}
    there = {**shared, "capacity": capacity, "hostPath": {"path": str(folder)}}
    wanted = {**shared, "volumeName": name, "resources": {"requests": capacity}}
    cluster.kubectl("create", "--filename=-", content=_object("PersistentVolume", name, there))
    claim = _object("PersistentVolumeClaim", "packages", wanted)
    try:
        release.kubectl("create", "--filename=-", content=claim)
        bound = "--for=jsonpath={.status.phase}=Bound"
        release.kubectl("wait", "persistentvolumeclaim/packages", bound, PATIENCE)
        yield
    finally:
        cluster.kubectl("delete", "persistentvolume", name, "--wait=false")


def _object(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
