"""GPUs, simulated ones: one per pod, and what becomes of a pod whose GPU is lost."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clusters import Cluster, Json, gpu_pod, until
from tests.e2e.loading import calls, loading
from tests.e2e.releases import Release, is_ready, merged
from tests.e2e.values import tiny

pytestmark = pytest.mark.own

NAMESPACE = "gpus"
GPUS = ("gpu-0", "gpu-1")


@pytest.fixture(autouse=True)
def _healthy(cluster: Cluster) -> Iterator[None]:
    yield
    for gpu in GPUS:
        cluster.do("gpu", gpu, "healthy")


def on_gpus(replicas: int, **detector: Any) -> Json:
    """A detector that computes on a simulated accelerator, one for each replica."""
    accelerator = {"kind": "whole"}
    own = {"replicas": replicas, "accelerator": accelerator, **detector}
    values = {"models": {"detector": own}}
    return merged(tiny("detector", version="2.0.0", replicas=1), values)


def gpu_of(release: Release, pod: Json) -> str:
    """The GPU that a pod was given."""
    name = pod["metadata"]["name"]
    return release.kubectl("exec", name, "--", "printenv", "NVIDIA_VISIBLE_DEVICES").strip()


def test_two_pods_get_a_gpu_each_and_a_third_waits_until_one_is_free(
    fresh: Release, tmp_path: Path
):
    fresh.install(on_gpus(3), tmp_path, wait=False)
    until(lambda: fresh.ready("detector") == 2, seconds=180)

    given = [gpu_of(fresh, pod) for pod in fresh.pods("detector") if is_ready(pod)]
    (waiting,) = [pod for pod in fresh.pods("detector") if "nodeName" not in pod["spec"]]

    assert sorted(given) == list(GPUS)
    (condition,) = waiting["status"]["conditions"]
    assert "Insufficient nvidia.com/gpu" in condition["message"]

    fresh.kubectl("scale", "deployment", f"{fresh.fullname}-detector", "--replicas=2")
    until(lambda: len(fresh.pods("detector")) == 2)


def test_a_pod_that_waits_runs_once_a_gpu_is_free(fresh: Release, tmp_path: Path):
    for name in ("first", "second"):
        fresh.kubectl("create", "--filename=-", content=gpu_pod(name))
    fresh.kubectl("wait", "pods", "first", "second", "--for=condition=Ready", "--timeout=60s")
    fresh.install(on_gpus(1), tmp_path, wait=False)
    until(lambda: "conditions" in fresh.pods("detector")[0]["status"])
    assert fresh.ready("detector") == 0

    fresh.kubectl("delete", "pod", "first")

    until(lambda: fresh.ready("detector") == 1, seconds=120)


def test_a_pod_whose_gpu_is_lost_is_taken_out_and_moves_when_it_is_deleted(
    cluster: Cluster, fresh: Release, tmp_path: Path, note: Callable[..., None]
):
    fresh.install(on_gpus(1), tmp_path)
    (pod,) = fresh.pods("detector")
    lost = gpu_of(fresh, pod)
    with fresh.doors() as address:
        assert not calls(cluster, address, tmp_path / "before", "--calls=5").partial

        with loading(cluster, address, tmp_path / "while", "--rate=10"):
            cluster.do("gpu", lost, "lost")
            until(lambda: fresh.ready("detector") == 0, seconds=60)
        name = pod["metadata"]["name"]
        until(lambda: "Readiness probe failed" in events(fresh, name))
        note(event=events(fresh, name).splitlines()[-1])

        fresh.kubectl("delete", "pod", name)  # what the documentation says
        until(lambda: fresh.ready("detector") == 1, seconds=120)
        (other,) = fresh.pods("detector")
        assert gpu_of(fresh, other) != lost
        until(lambda: not calls(cluster, address, tmp_path / "after", "--calls=5").partial)


def events(release: Release, pod: str) -> str:
    """What the kubelet and the scheduler say about a pod."""
    chosen = f"--field-selector=involvedObject.name={pod}"
    found = release.get("events", chosen)["items"]
    return "\n".join(json.dumps(event["message"]) for event in found)
