"""Values that mean nothing are refused, in words that name them."""

import pytest

from tests.chart.rendering import Values, of_model, render

SHA = "7" * 64
DIGEST = f"sha256:{SHA}"
TMP = "/tmp"  # noqa: S108 - where the chart mounts a volume


def named(key: str) -> Values:
    return {"models": {key: {"feature": "brands", "task": "detection", "version": "1.0.0"}}}


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ({"security": None}, "missing property 'security'"),
        ({"gateway": {"drain": None}}, "missing property 'drain'"),
        ({"replicas": 2}, "additional properties 'replicas'"),
        (of_model(replica=2), "additional properties 'replica'"),
        ({"gateway": {"replicas": "two"}}, "/gateway/replicas"),
        ({"models": {"nsfw": {"task": "detection", "version": "1.0.0"}}}, "'feature'"),
        (of_model(version="1.1"), "/models/detector/version"),
        (of_model(version="1.1.0-rc."), "/models/detector/version"),
        (of_model(feature="objects-"), "/models/detector/feature"),
        (of_model(task="segmentation"), "/models/detector/task"),
        (of_model(image={"digest": "sha256:12"}), "/models/detector/image/digest"),
        (of_model(settings={"port": 1}), "'port'"),
        (of_model(settings={"model_version": "1.0.0"}), "'model_version'"),
        (of_model(extraEnv=[{"name": "A", "value": 1}]), "/models/detector/extraEnv/0/value"),
        (of_model(extraVolumes=[{"name": "tmp"}]), "/models/detector/extraVolumes/0/name"),
        (of_model(extraVolumeMounts=[{"name": "a", "mountPath": TMP}]), "/extraVolumeMounts/0/m"),
        (of_model(podLabels={"app.kubernetes.io/component": "a"}), "'app.kubernetes.io/component'"),
        ({"commonLabels": {"trilens.dev/track": "a"}}, "'trilens.dev/track'"),
        (named("gateway"), "'gateway'"),
        (named("detector-canary"), "'detector-canary'"),
        (named("default-deny"), "'default-deny'"),
        (named("A"), "'A'"),
        ({"nameOverride": "My Vision"}, "/nameOverride"),
        (named("a-name-of-21-letters-x"), "'a-name-of-21-letters-x'"),
        ({"models": {"classifier": None, "captioner": None, "detector": None}}, "/models"),
        ({"canary": {"weight": 101}}, "/canary/weight"),
        ({"canary": {"weight": -1}}, "/canary/weight"),
        ({"grpcRoute": {"enabled": "yes"}}, "/grpcRoute/enabled"),
        ({"podDefaults": {"disruptionBudget": {"maxUnavailable": 1, "minAvailable": 1}}}, "Budget"),
        (of_model(disruptionBudget={"enabled": True, "minAvailable": "1"}), "/minAvailable"),
    ],
    ids=str,
)
def test_what_no_value_can_be_is_refused(values: Values, at: str):
    assert at in render(values).refusal


@pytest.mark.parametrize(
    "accelerator",
    [
        {"kind": "gpu"},
        {"count": 1},
        {"kind": "none", "count": 1},
        {"kind": "whole", "profile": "1g.10gb"},
        {"kind": "whole", "count": 0},
        {"kind": "mig"},
        {"kind": "mig", "profile": "10gb"},
        {"kind": "shared", "count": 2},
        {"kind": "shared", "deviceClass": "gpu.nvidia.com"},
        {"kind": "dra", "resource": "nvidia.com/gpu"},
        {"kind": "dra", "claimTemplate": "mine", "count": 2},
    ],
    ids=str,
)
def test_an_accelerator_that_cannot_be_is_refused(accelerator: Values):
    assert "/models/detector/accelerator" in render(of_model(accelerator=accelerator)).refusal


@pytest.mark.parametrize(
    "scaling",
    [
        {"mode": "keda", "max": 3, "hpa": {"cpu": 50}},
        {"mode": "hpa", "max": 3, "keda": {"queueSeconds": 1}},
        {"mode": "fixed", "max": 3},
        {"mode": "hpa"},
        {"mode": "hpa", "min": 0, "max": 3},
        {"mode": ["hpa", "keda"], "max": 3},
        {"max": 3},
    ],
    ids=str,
)
def test_only_one_may_decide_on_the_number_of_replicas(scaling: Values):
    assert "/models/detector/scaling" in render(of_model(scaling=scaling)).refusal


@pytest.mark.parametrize(
    "package",
    [
        {"source": "baked", "uri": "https://x.example/a.tar"},
        {"source": "pvc", "claim": "a", "sha256": SHA},
        {"source": "download", "uri": "https://x.example/a.tar", "sha256": SHA, "claim": "a"},
    ],
    ids=str,
)
def test_a_package_comes_by_one_way(package: Values):
    assert "/models/detector/package" in render(of_model(package=package)).refusal


DOWNLOAD = {"source": "download", "uri": "https://x.example/a.tar", "sha256": SHA}
ROUTE = {"enabled": True, "parentRefs": [{"name": "public"}]}
ZERO = {"mode": "keda", "min": 0, "max": 1}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"deadlines": {"max": 65}},
            "gateway.drain.grace (65) must be above deadlines.max (65)",
        ),
        ({"deadlines": {"default": 61}}, "default (61) must not be above max (60)"),
        (
            {"gateway": {"drain": {"maxConnectionAge": 10}}},
            "gateway.drain.preStop (8) must be at least 1.1 x maxConnectionAge + 2 (13)",
        ),
        (
            of_model(drain={"preStop": 12}),
            "models.detector.drain.preStop (12) must be at least gateway.drain.preStop + "
            "deadlines.default (13)",
        ),
        (
            of_model(canary={"version": "2.0.0", "drain": {"grace": 9}}),
            "models.detector.canary.drain.grace (9)",
        ),
        (
            of_model(replicas=5, scaling={"mode": "hpa", "max": 4}),
            "min (5) must not be above max (4)",
        ),
        (of_model(scaling=ZERO), "set keda.trigger to gateway"),
        ({"gateway": {"scaling": ZERO}}, "without a gateway nobody hears of a call"),
        (of_model(replicas=0, scaling={"mode": "hpa", "max": 2}), "own autoscaler needs 1"),
        (
            {"gateway": {"scaling": {"mode": "keda", "max": 3, "keda": {"trigger": "queue"}}}},
            "the gateway has no queue of its own",
        ),
        (of_model(package={"source": "image"}), "source image needs image.repository"),
        (of_model(package={"source": "pvc"}), "source pvc needs claim"),
        (of_model(package={"source": "download"}), "source download needs sha256"),
        (
            of_model(package=DOWNLOAD, canary={"version": "2.0.0"}),
            "version 2.0.0 needs a uri and a sha256 of its own",
        ),
        (
            of_model(
                package={"source": "image", "image": {"repository": "a/b", "digest": DIGEST}},
                canary={"version": "2.0.0"},
            ),
            "models.detector.canary.package: version 2.0.0 needs a tag or digest of its own",
        ),
        (
            of_model(
                package={"source": "pvc", "claim": "a", "path": "now"}, canary={"version": "2.0.0"}
            ),
            "models.detector.canary.package: version 2.0.0 needs a path of its own",
        ),
        ({"httpRoute": {"enabled": "auto"}}, "httpRoute: needs parentRefs"),
        ({"certificate": {"enabled": True}}, "certificate: needs dnsNames and issuerRef.name"),
        ({"canary": {"weight": 5}}, "canary.weight is 5, but no model that is on names a canary"),
        (
            {"models": {"classifier": {"feature": "objects"}}},
            '"objects" is the feature of another model, too',
        ),
        (
            {
                "grpcRoute": {"enabled": True, "hostnames": ["a.example", "b.example"]},
                "httpRoute": {"enabled": True, "hostnames": ["b.example"]},
            },
            "b.example is grpcRoute's already",
        ),
    ],
    ids=str,
)
def test_values_that_contradict_each_other_are_refused(values: Values, words: str):
    assert words in render(values).refusal


def test_triggers_of_ones_own_may_begin_at_zero():
    own = {"triggers": [{"type": "cron", "metadata": {"timezone": "UTC"}}]}

    assert not render(of_model(scaling={**ZERO, "keda": own})).refusal


@pytest.mark.parametrize("name", ["my.shop", "2nd"])
def test_a_release_whose_name_begins_no_services_is_told_what_to_set(name: str):
    refusal = render(name=name).refusal

    assert f"{name}-trilens: no Service's name can begin so" in refusal
    assert not render({"fullnameOverride": "shop"}, name=name).refusal


@pytest.mark.parametrize("place", ["podDefaults", "modelDefaults"])
def test_one_digest_is_no_two_images(place: str):
    refusal = render({place: {"image": {"digest": DIGEST}}}).refusal

    assert f"{DIGEST} cannot be trilens/" in refusal
    assert "say the digest of each" in refusal


def test_models_that_share_an_image_share_its_digest():
    detector = {"image": {"digest": DIGEST}, "canary": {"version": "2.0.0"}}
    brands = {**named("brands")["models"]["brands"], "image": {"digest": DIGEST}}

    assert not render({"models": {"detector": detector, "brands": brands}}).refusal


def test_all_contradictions_are_told_at_once():
    refusal = render({"deadlines": {"max": 70}, "canary": {"shadow": 1}}).refusal

    assert refusal.count("drain.grace") == 4
    assert "canary.shadow" in refusal


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"podMonitor": {"enabled": True}}, "monitoring.coreos.com/v1/PodMonitor"),
        ({"grpcRoute": ROUTE}, "gateway.networking.k8s.io/v1/GRPCRoute"),
        (
            {"certificate": {"enabled": True, "dnsNames": ["a.b"], "issuerRef": {"name": "a"}}},
            "cert-manager.io/v1/Certificate",
        ),
        (of_model(scaling={"mode": "keda", "max": 2}), "keda.sh/v1alpha1/ScaledObject"),
    ],
    ids=str,
)
def test_a_kind_that_the_cluster_does_not_know_is_named(values: Values, kind: str):
    refusal = render(values, kinds=()).refusal

    assert f"this cluster does not know {kind}" in refusal


@pytest.mark.parametrize("known", [True, False])
def test_auto_renders_what_the_cluster_knows(known: bool):
    monitor = "monitoring.coreos.com/v1/PodMonitor"

    rendered = render({"podMonitor": {"enabled": "auto"}}, kinds=[monitor] if known else [])

    assert bool(rendered.of("PodMonitor")) is known


@pytest.mark.parametrize(
    ("values", "kube", "words"),
    [
        (of_model(accelerator={"kind": "dra"}), "1.33", "kind dra needs Kubernetes 1.34"),
        (
            of_model(package={"source": "image", "image": {"repository": "a/b"}}),
            "1.32",
            "image volumes need Kubernetes 1.33",
        ),
        ({}, "1.29", "kubeVersion"),
    ],
    ids=str,
)
def test_a_kubernetes_that_is_too_old_is_refused(values: Values, kube: str, words: str):
    assert words in render(values, kube=kube).refusal
