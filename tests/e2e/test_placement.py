"""Where model pods land: parts of GPUs, shared ones, claimed ones, and zones, on played nodes."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clusters import Cluster, Json, until
from tests.e2e.nodes import TAINT, forget, node, play
from tests.e2e.releases import Release, merged
from tests.e2e.values import tiny

pytestmark = pytest.mark.own

NAMESPACE = "placement"
ZONES = ("north", "east", "south", "west")
TOLERATED = [{"key": TAINT["key"], "operator": "Exists"}]
DRIVER = "gpu.example.com"
DEVICES = 4
MANY = 100


@pytest.fixture(scope="module", autouse=True)
def _nodes(cluster: Cluster) -> Iterator[None]:
    kinds: list[tuple[str, Json]] = [
        ("whole", {"nvidia.com/gpu": "8"}),
        ("mig", {"nvidia.com/mig-1g.10gb": "7"}),
        ("shared", {"nvidia.com/gpu.shared": "16"}),
        ("claimed", {}),
    ]
    nodes = [
        node(f"{kind}-{zone}", zone, {"gpus": kind}, **has) for kind, has in kinds for zone in ZONES
    ]
    play(cluster, nodes)
    claimed = [f"claimed-{zone}" for zone in ZONES]
    devices = [device_class(), *(devices_of(name) for name in claimed)]
    listed = {"apiVersion": "v1", "kind": "List", "items": devices}
    cluster.kubectl("apply", "--server-side", "--filename=-", content=listed)
    yield
    forget(cluster)
    cluster.kubectl("delete", "resourceslices", *claimed)
    cluster.kubectl("delete", "deviceclass", DRIVER)


def device_class() -> Json:
    chosen = [{"cel": {"expression": f'device.driver == "{DRIVER}"'}}]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "DeviceClass",
        "metadata": {"name": DRIVER},
        "spec": {"selectors": chosen},
    }


def devices_of(node: str) -> Json:
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    devices = [
        {"name": f"gpu-{number}", "attributes": {"model": {"string": "H200"}}}
        for number in range(DEVICES)
    ]
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceSlice",
        "metadata": {"name": node},
        "spec": {"driver": DRIVER, "nodeName": node, "pool": pool, "devices": devices},
    }


def played(replicas: int, **detector: Any) -> Json:
    """A release whose pods are all played."""
    there = {"nodeSelector": {"type": "kwok"}, "tolerations": TOLERATED}
    values = {"podDefaults": there, "models": {"detector": {"replicas": replicas, **detector}}}
    return merged(tiny("detector"), values)


def nodes_of(release: Release) -> Counter[str]:
    """How many of the detectors are on each node."""
    return Counter(pod["spec"]["nodeName"] for pod in release.pods("detector"))


@pytest.mark.parametrize(
    ("kind", "accelerator"),
    [
        ("whole", {"kind": "whole"}),
        ("mig", {"kind": "mig", "profile": "1g.10gb"}),
        ("shared", {"kind": "shared"}),
        ("claimed", {"kind": "dra", "deviceClass": DRIVER}),
    ],
)
def test_pods_land_where_what_they_ask_for_is(
    fresh: Release, tmp_path: Path, kind: str, accelerator: Json
):
    fresh.install(played(8, accelerator=accelerator), tmp_path)

    assert {name.partition("-")[0] for name in nodes_of(fresh)} == {kind}


def test_a_claim_that_no_device_is_left_for_waits_and_says_so(fresh: Release, tmp_path: Path):
    there = DEVICES * len(ZONES)
    dra = {"kind": "dra", "deviceClass": DRIVER}

    fresh.install(played(there + 1, accelerator=dra), tmp_path, wait=False)

    until(lambda: fresh.ready("detector") == there, seconds=120)
    (waiting,) = [pod for pod in fresh.pods("detector") if "nodeName" not in pod["spec"]]
    (condition,) = waiting["status"]["conditions"]
    assert condition["reason"] == "Unschedulable"
    assert "cannot allocate all claims" in condition["message"]


def test_a_hundred_pods_spread_over_zones(
    fresh: Release, tmp_path: Path, note: Callable[..., None]
):
    begun = time.monotonic()
    spread = {"zones": "required", "nodes": "preferred"}
    fresh.install(played(MANY, spread=spread), tmp_path)

    zones = Counter(name.partition("-")[2] for name in nodes_of(fresh).elements())
    note(seconds_until_all_are_ready=round(time.monotonic() - begun, 1), zones=dict(zones))
    assert zones == {zone: MANY // len(ZONES) for zone in ZONES}
