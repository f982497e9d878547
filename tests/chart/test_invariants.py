"""What holds for every release that the schema allows, whatever its values are."""

import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chassis.settings import PREFIX, ServerSettings
from gateway.settings import GatewaySettings
from services.captioner.settings import CaptionerSettings
from services.classifier.settings import ClassifierSettings
from services.detector.settings import DetectorSettings
from tests.chart.rendering import Rendered, Thing, render
from tests.chart.test_cases import problems

EXAMPLES = int(os.environ.get("TRILENS_CHART_EXAMPLES", "25"))
SERVICES = {
    "classifier": ClassifierSettings,
    "captioner": CaptionerSettings,
    "detector": DetectorSettings,
}

versions = st.sampled_from(["1.0.0", "1.1.0", "2.0.0-rc.1"])
few = st.integers(1, 4)


def some(**choices: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A map in which each key may be missing."""
    return st.fixed_dictionaries({}, optional=choices)


accelerators = st.one_of(
    st.just({"kind": "none"}),
    st.builds(lambda count: {"kind": "whole", "count": count}, few),
    st.just({"kind": "mig", "profile": "3g.40gb"}),
    st.just({"kind": "shared"}),
    st.builds(lambda count: {"kind": "dra", "count": count}, few),
)
packages = st.one_of(
    st.just({"source": "baked"}),
    st.just({"source": "pvc", "claim": "weights"}),
    st.just({"source": "image", "image": {"repository": "acme/weights"}}),
)
scalings = st.one_of(
    st.just({"mode": "fixed"}),
    st.builds(lambda most: {"mode": "hpa", "max": most + 3}, few),
    st.builds(lambda most: {"mode": "keda", "max": most + 3, "keda": {"inFlight": 4}}, few),
    st.just({"mode": "keda", "min": 0, "max": 4, "keda": {"trigger": "gateway"}}),
)
parts = {
    "accelerator": accelerators,
    "scaling": scalings,
    "package": packages,
    "update": st.sampled_from(["auto", "surge", "replace"]),
    "podLabels": st.just({"tier": "gold"}),
    "settings": st.just({"max_waiting": 8}),
    "thresholdSets": st.just({"a.json": {"id": "a-v1"}}),
}
canaries = some(version=st.one_of(st.just(""), versions), **parts)
models = some(enabled=st.booleans(), version=versions, replicas=few, canary=canaries, **parts)
fourth = st.builds(
    lambda model: {"feature": "brands", "task": "detection", "version": "3.0.0", **model}, models
)
values = some(
    models=st.fixed_dictionaries(
        {}, optional={"detector": models, "captioner": models, "brands": fourth}
    ),
    gateway=some(replicas=few, watchRelease=st.booleans()),
    security=st.sampled_from([{}, {"runAsUser": None}]),
    canary=some(maxExtra=few),
    commonLabels=st.just({"team": "photos"}),
    networkPolicy=some(enabled=st.booleans()),
    fullnameOverride=st.sampled_from(["", "photos", "a" * 35, "b" * 63]),
)


@given(values, st.sampled_from(["trilens", "prod", "r" * 53]))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    # Shrinking would render for minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_any_release_is_sound(given: Thing, name: str):
    rendered = render(given, name=name)

    assert [line for one in rendered.objects for line in problems("1.35", one)] == []
    for look in (_names, _selectors, _services, _pods, _replicas, _release, _environment):
        look(rendered)


def _names(rendered: Rendered) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in rendered.objects]
    assert len(set(names)) == len(names)
    # A claim template is named nowhere but in pods: it may have 253, as most objects may.
    assert max(len(name) for kind, name in names if kind != "ResourceClaimTemplate") <= 63


def _labels(deployment: Thing) -> dict[str, str]:
    labels: dict[str, str] = deployment["spec"]["template"]["metadata"]["labels"]
    return labels


def _selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def _selectors(rendered: Rendered) -> None:
    """Each Deployment selects its own pods, by what never changes."""
    deployments = rendered.of("Deployment")
    for name, one in deployments.items():
        selector = one["spec"]["selector"]["matchLabels"]
        known = {"name", "instance", "component", "track"}
        assert {label.split("/")[1] for label in selector} <= known
        owned = [other for other, it in deployments.items() if _selects(selector, _labels(it))]
        assert owned == [name]
    for one in rendered.of("PodDisruptionBudget").values():
        selector = one["spec"]["selector"]["matchLabels"]
        assert sum(_selects(selector, _labels(it)) for it in deployments.values()) == 1


def _services(rendered: Rendered) -> None:
    """Each Service leads to the pods of one Deployment, and to ports that they have."""
    for one in rendered.of("Service").values():
        selector = one["spec"]["selector"]
        found = [d for d in rendered.of("Deployment").values() if _selects(selector, _labels(d))]
        (deployment,) = found
        (server,) = deployment["spec"]["template"]["spec"]["containers"]
        ports = {port["name"] for port in server["ports"]}
        assert {port["targetPort"] for port in one["spec"]["ports"]} <= ports


def _pods(rendered: Rendered) -> None:
    """Each pod fits the restricted profile, and has the time that its drain takes."""
    for deployment in rendered.of("Deployment").values():
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["enableServiceLinks"] is False
        for container in (*pod["containers"], *pod.get("initContainers", [])):
            rights = container["securityContext"]
            assert rights["readOnlyRootFilesystem"]
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["capabilities"] == {"drop": ["ALL"]}
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            assert mounted <= {volume["name"] for volume in pod["volumes"]}
        (server,) = pod["containers"]
        waits = server["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert pod["terminationGracePeriodSeconds"] > waits + 60
        assert server["readinessProbe"]["grpc"] == {"port": 50052, "service": "ready"}
        assert server["livenessProbe"]["grpc"] == {"port": 50052, "service": "live"}
        rolling = deployment["spec"]["strategy"]["rollingUpdate"]
        assert sorted(rolling.values()) == [0, 1]


def _replicas(rendered: Rendered) -> None:
    """Exactly one decides on the number of each Deployment's replicas."""
    scaled = {
        one["spec"]["scaleTargetRef"]["name"]
        for kind in ("HorizontalPodAutoscaler", "ScaledObject")
        for one in rendered.of(kind).values()
    }
    for name, one in rendered.of("Deployment").items():
        assert ("replicas" in one["spec"]) != (name in scaled)
    for name in scaled:
        (one,) = (
            found[name]
            for kind in ("HorizontalPodAutoscaler", "ScaledObject")
            if name in (found := rendered.of(kind))
        )
        least, most = (
            value
            for key, value in sorted(one["spec"].items(), reverse=True)
            if key.startswith(("minReplica", "maxReplica"))
        )
        assert least <= most


def _release(rendered: Rendered) -> None:
    """What the release names is there: features, versions, Services."""
    (gateway,) = (name for name in rendered.of("Deployment") if name.endswith("-gateway"))
    fullname = gateway.removesuffix("-gateway")
    document = rendered.release(fullname)
    features = json.loads(rendered.environment(gateway)["TRILENS_FEATURES"])
    on = {name for name, feature in features.items() if feature["enabled"]}
    assert set(document["stable"]) == on
    assert set(document["canary"]) <= on
    targets = [features[name]["target"] for name in on]
    targets += [canary["target"] for canary in document["canary"].values()]
    services = rendered.of("Service")
    for target in targets:
        service = services[target.removeprefix("dns:///").removesuffix(":50051")]
        assert service["spec"]["clusterIP"] == "None"


def _environment(rendered: Rendered) -> None:
    """Every variable is a setting of the program that gets it."""
    for name, deployment in rendered.of("Deployment").items():
        labels = _labels(deployment)
        server = rendered.server(name)
        own: Any = GatewaySettings
        if labels["app.kubernetes.io/component"] != "gateway":
            own = SERVICES[server["image"].split("/")[-1].split(":")[0]]
        known = {
            f"{PREFIX}{field.upper()}" for field in (own.model_fields | ServerSettings.model_fields)
        }
        ours = {one["name"] for one in server["env"] if one["name"].startswith(PREFIX)}
        assert ours <= known


@pytest.mark.parametrize("track", ["", "-canary"])
def test_no_gateway_starts_with_settings_that_it_refuses(
    track: str, monkeypatch: pytest.MonkeyPatch
):
    rendered = render({"models": {"detector": {"canary": {"version": "2.0.0"}}}})

    for settings_of, name in ((GatewaySettings, "gateway"), (DetectorSettings, f"detector{track}")):
        with monkeypatch.context() as patch:
            for variable, value in rendered.environment(f"trilens-{name}").items():
                patch.setenv(variable, value)
            settings_of()
            assert ServerSettings().host == "0.0.0.0"  # noqa: S104 - what pods listen on
