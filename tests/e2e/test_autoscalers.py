"""Who decides on replicas: from zero by the gateways, by CPU, and handed over while calls go on."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.clusters import Cluster, Json, until
from tests.e2e.loading import calls, loading, rest
from tests.e2e.releases import Release, merged
from tests.e2e.replicas import watched
from tests.e2e.values import tiny

pytestmark = pytest.mark.own  # elsewhere KEDA and metrics-server may be missing

NAMESPACE = "autoscalers"
# What is not needed goes soon: tests do not wait for five minutes.
SOON = {"scaleDown": {"stabilizationWindowSeconds": 15}}

# In the documentation word for word.
KEEP = """\
kubectl -n {namespace} get deployment {name} -o go-template='{template}' \\
  | kubectl -n {namespace} apply --server-side --field-manager=autoscaler -f -
"""
TEMPLATE = (
    '{"apiVersion": "apps/v1", "kind": "Deployment",'
    ' "metadata": {"name": "{{.metadata.name}}"}, "spec": {"replicas": {{.spec.replicas}}}}'
)
ADDONS = {"hpa": "metrics-server", "keda": "keda"}

Noting = Callable[..., None]


def from_zero() -> Json:
    """A detector that is there when it is asked for, beside a classifier that always is."""
    soon = {"pollingInterval": 2, "activeSeconds": 15, "cooldownPeriod": 5}
    keda = {"trigger": "gateway", **soon}
    scaling = {"mode": "keda", "min": 0, "max": 2, "keda": keda}
    model = {"models": {"detector": {"scaling": scaling}}}
    return merged(tiny("classifier", "detector", replicas=1), {"gateway": {"replicas": 2}}, model)


def test_a_model_comes_from_zero_when_it_is_asked_for_and_goes_when_it_is_not(
    cluster: Cluster, fresh: Release, tmp_path: Path, note: Noting
):
    cluster.do("add", "keda")
    fresh.install(from_zero(), tmp_path)
    # KEDA asks gateways that are not there yet, and then less and less often.
    until(lambda: not fresh.pods("detector"), seconds=300)
    # Who leaves goes on serving while nobody else is there.
    detectors = "--selector=app.kubernetes.io/component=detector"
    until(lambda: not fresh.get("pods", detectors)["items"], seconds=120)

    with fresh.doors() as address:
        (first,) = calls(cluster, address, tmp_path / "first", "--calls=1").lines
        asked = time.monotonic()
        until(lambda: fresh.ready("detector") == 1, seconds=120)
        came = time.monotonic() - asked
        until(lambda: not calls(cluster, address, tmp_path / "later", "--calls=1").partial)
        answered = time.monotonic() - asked
    until(lambda: not fresh.pods("detector"), seconds=240)

    note(
        meanwhile=first["partial"],
        seconds_until_a_pod_is_ready=round(came, 1),
        seconds_until_a_call_is_answered=round(answered, 1),
        seconds_until_none_is_left=round(time.monotonic() - asked - answered, 1),
    )
    # Who asked first has no boxes, and everything else.
    assert first["partial"].startswith("objects")
    assert set(first["versions"]) == {"attributes"}


def by_cpu() -> Json:
    """Gateways that are busy with a third of the load that comes."""
    gateway = {
        "resources": {"requests": {"cpu": "150m"}},
        "scaling": {"mode": "hpa", "min": 1, "max": 3, "hpa": {"cpu": 60, "behavior": SOON}},
    }
    return merged(tiny("detector"), {"gateway": gateway})


def test_gateways_follow_their_cpu_and_an_upgrade_leaves_their_number(
    cluster: Cluster, fresh: Release, tmp_path: Path, note: Noting
):
    cluster.do("add", "metrics-server")
    fresh.install(by_cpu(), tmp_path)
    until(lambda: utilization(fresh) is not None, seconds=120)
    until(lambda: fresh.ready("gateway") == 1, seconds=120)
    idle = utilization(fresh)

    with fresh.doors() as address, loading(cluster, address, tmp_path / "calls") as load:
        begun = time.monotonic()
        until(lambda: fresh.ready("gateway") == 3, seconds=240)
        up = time.monotonic() - begun
        busy = utilization(fresh)
        with watched(fresh, "gateway", tmp_path / "replicas") as replicas:
            fresh.change("gateway.podAnnotations.upgrade=one", "deadlines.default=4")
    ended = time.monotonic()
    until(lambda: len(fresh.pods("gateway")) == 1, seconds=300)

    note(
        percent_of_cpu_idle=idle,
        percent_of_cpu_under_load=busy,
        seconds_until_three_are_ready=round(up, 1),
        seconds_until_one_is_left=round(time.monotonic() - ended, 1),
        fewest_ready_in_the_upgrade=min(replicas.ready),
        **load.so_far().told(),
    )
    assert set(replicas.wanted) == {3}
    assert min(replicas.ready) >= 3
    assert load.so_far().troubled == []


def utilization(release: Release) -> int | None:
    """The gateways' CPU as the autoscaler sees it, in percent of what they request."""
    status = release.get("hpa", release.gateway)["status"]
    found = [one["resource"] for one in status.get("currentMetrics") or () if "resource" in one]
    return int(found[0]["current"]["averageUtilization"]) if found else None


def keep(release: Release, component: str) -> None:
    """Says that the number of replicas is to stay, whoever lets go of it."""
    name = f"{release.fullname}-{component}"
    command = KEEP.format(namespace=release.namespace, name=name, template=TEMPLATE)
    release.cluster.run("sh", "-c", command)


def owned(mode: str, least: int) -> tuple[str, ...]:
    """The settings that let an autoscaler own the detector's number, and stay at its least."""
    at = "models.detector.scaling"
    settings = (f"{at}.mode={mode}", f"{at}.min={least}", f"{at}.max=5")
    return (*settings, f"{at}.hpa.cpu=100000") if mode == "hpa" else settings


@pytest.mark.parametrize("mode", ADDONS)
def test_replicas_are_handed_to_an_autoscaler_and_back_without_a_gap(
    cluster: Cluster, fresh: Release, tmp_path: Path, note: Noting, mode: str
):
    cluster.do("add", ADDONS[mode])
    fresh.install(merged(tiny("detector"), {"models": {"detector": {"replicas": 3}}}), tmp_path)

    with (
        fresh.doors() as address,
        loading(cluster, address, tmp_path / "calls", "--rate=30") as load,
        watched(fresh, "detector", tmp_path / "replicas") as replicas,
    ):
        keep(fresh, "detector")
        fresh.change(*owned(mode, 3))
        # The autoscaler takes the number: it is at work.
        fresh.change(*owned(mode, 4))
        until(lambda: fresh.ready("detector") == 4, seconds=180)

        fresh.helm("rollback", fresh.name, "1", "--force-conflicts", "--wait")
        rest(10.0)
        # KEDA's HPA lives on for a moment, and may have the last word: so the documentation says.
        last = replicas.wanted[-1]
        fresh.kubectl("scale", "deployment", f"{fresh.fullname}-detector", "--replicas=3")
        until(lambda: replicas.wanted[-1] == 3)
        keep(fresh, "detector")
        fresh.rollback(3)
        until(lambda: fresh.ready("detector") == 4, seconds=180)
        rest(10.0)

    note(
        wanted=sequence(replicas.wanted),
        last_word=last,
        fewest=min(replicas.ready),
        **load.so_far().told(),
    )
    # KEDA and its HPA may hear of a new least number one after the other, and differ for a moment.
    assert min(*replicas.wanted, *replicas.ready) >= 3
    assert load.so_far().troubled == []


def sequence(numbers: list[int]) -> list[int]:
    """Each number once as long as it stands."""
    return [one for index, one in enumerate(numbers) if index == 0 or numbers[index - 1] != one]
