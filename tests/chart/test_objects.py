"""What each part of the chart's values does to what is rendered."""

import json
from typing import Any

import pytest

from tests.chart.rendering import Thing, Values, of_model, render

DIGEST = "sha256:" + "6" * 64
IMAGE = {"source": "image", "image": {"repository": "acme/objects"}}


def release_with(**canary: Any) -> Thing:
    return render({**of_model(canary={"version": "1.2.0"}), "canary": canary}).release()


def test_a_plain_install_has_a_gateway_and_three_models_and_no_canary():
    rendered = render(kinds=())

    assert sorted(rendered.of("Deployment")) == [
        "trilens-captioner",
        "trilens-classifier",
        "trilens-detector",
        "trilens-gateway",
    ]
    assert rendered.release() == {
        "schema": 1,
        "revision": 1,
        "weight": 0,
        "shadow": 0,
        "stable": {name: {"version": "1.1.0"} for name in ("attributes", "captions", "objects")},
        "canary": {},
    }


def test_the_gateway_is_told_where_each_feature_is_answered():
    features = json.loads(render().environment("trilens-gateway")["TRILENS_FEATURES"])

    assert features["objects"] == {
        "task": "detection",
        "target": "dns:///trilens-detector:50051",
        "on_by_default": True,
        "enabled": True,
    }


def test_a_canary_is_named_in_the_release_with_its_weight():
    document = release_with(weight=12.5, shadow=3)

    assert document["canary"] == {
        "objects": {"version": "1.2.0", "target": "dns:///trilens-detector-canary:50051"}
    }
    assert (document["weight"], document["shadow"]) == (12.5, 3)


def test_weights_change_no_pod():
    before = render({**of_model(canary={"version": "1.2.0"}), "canary": {"weight": 5}})
    after = render({**of_model(canary={"version": "1.2.0"}), "canary": {"weight": 25}})

    assert before.of("Deployment") == after.of("Deployment")
    assert before.release() != after.release()


@pytest.mark.parametrize(
    ("weight", "most", "replicas"),
    [(0, None, 1), (1, None, 1), (25, None, 1), (26, None, 2), (100, None, 4), (100, 2, 2)],
)
def test_a_canary_has_its_share_of_replicas_by_weight(
    weight: float, most: int | None, replicas: int
):
    values = of_model(replicas=4, canary={"version": "1.2.0"})
    rendered = render({**values, "canary": {"weight": weight, "maxExtra": most}})

    assert rendered.deployment("trilens-detector-canary")["replicas"] == replicas
    assert rendered.deployment("trilens-detector")["replicas"] == 4


def test_a_promoted_version_may_stay_on_the_canary_until_the_stable_pods_have_it():
    values = of_model(version="1.2.0", canary={"version": "1.2.0"})

    document = render({**values, "canary": {"weight": 100}}).release()

    assert document["stable"]["objects"]["version"] == document["canary"]["objects"]["version"]


def test_a_canary_has_what_the_model_has_but_for_what_it_says_itself():
    canary = {"version": "2.0.0", "image": {"tag": "new"}, "settings": {"max_batch": 4}}
    rendered = render(of_model(canary=canary, settings={"max_batch": 8, "max_waiting": 16}))

    stable, ours = (rendered.environment(f"trilens-detector{end}") for end in ("", "-canary"))
    assert (stable["TRILENS_MAX_BATCH"], ours["TRILENS_MAX_BATCH"]) == ("8", "4")
    assert stable["TRILENS_MAX_WAITING"] == ours["TRILENS_MAX_WAITING"] == "16"
    assert stable["TRILENS_MODEL"] == "/models/objects/1.1.0"
    assert ours["TRILENS_MODEL"] == "/models/objects/2.0.0"
    versions = (stable["TRILENS_MODEL_VERSION"], ours["TRILENS_MODEL_VERSION"])
    assert versions == ("1.1.0", "2.0.0")
    assert rendered.server("trilens-detector-canary")["image"] == "trilens/detector:new"


def test_a_canary_with_a_tag_of_its_own_does_not_run_what_the_models_digest_says():
    values = {"package": IMAGE | {"image": {"repository": "acme/objects", "digest": DIGEST}}}
    canary = {"version": "2.0.0", "image": {"tag": "new"}, "package": {"image": {"tag": "v2"}}}
    rendered = render(of_model(image={"digest": DIGEST}, **values, canary=canary))

    assert rendered.server("trilens-detector")["image"] == f"trilens/detector@{DIGEST}"
    assert rendered.server("trilens-detector-canary")["image"] == "trilens/detector:new"
    volumes = rendered.pod("trilens-detector-canary")["volumes"]
    references = [one["image"]["reference"] for one in volumes if "image" in one]
    assert references == ["acme/objects:v2"]


def test_a_model_that_is_off_runs_nowhere_and_its_callers_are_told():
    rendered = render(of_model(enabled=False))

    features = json.loads(rendered.environment("trilens-gateway")["TRILENS_FEATURES"])
    assert features["objects"]["enabled"] is False
    assert "trilens-detector" not in rendered.of("Deployment")
    assert "objects" not in rendered.release()["stable"]


def test_a_common_label_replaces_what_the_chart_says_without_being_said_twice():
    rendered = render({"commonLabels": {"app.kubernetes.io/part-of": "shop"}})

    assert "app.kubernetes.io/part-of: trilens" not in rendered.text
    assert all(
        one["metadata"]["labels"]["app.kubernetes.io/part-of"] == "shop" for one in rendered.objects
    )


def test_settings_keep_falsehoods_zeros_and_large_numbers():
    given = {"lane_header": False, "max_shadow": 0, "max_image_bytes": 20971520, "a_list": [1, "b"]}

    told = render({"gateway": {"settings": given}}).environment("trilens-gateway")

    assert told["TRILENS_LANE_HEADER"] == "false"
    assert told["TRILENS_MAX_SHADOW"] == "0"
    assert told["TRILENS_MAX_IMAGE_BYTES"] == "20971520"
    assert told["TRILENS_A_LIST"] == '[1,"b"]'


def test_traces_tell_pods_tracks_and_releases_of_one_cluster_apart():
    values = of_model(canary={"version": "2.0.0"})
    rendered = render({**values, "telemetry": {"otlpEndpoint": "http://collector:4317"}})

    told = rendered.environment("trilens-detector-canary")["OTEL_RESOURCE_ATTRIBUTES"]

    assert dict(one.split("=") for one in told.split(",")) == {
        "service.namespace": "photos",
        "service.instance.id": "$(POD_NAME)",
        "k8s.namespace.name": "photos",
        "k8s.deployment.name": "trilens-detector-canary",
        "k8s.pod.name": "$(POD_NAME)",
    }


def test_a_variable_of_the_operators_stands_in_place_of_the_charts():
    pod_name = {"name": "POD_NAME", "value": "mine"}
    extra = [{"name": "TRILENS_LOG_LEVEL", "value": "DEBUG"}, pod_name, {"name": "A", "value": "1"}]
    values = of_model(extraEnv=extra)
    rendered = render({**values, "telemetry": {"otlpEndpoint": "http://collector:4317"}})

    env = rendered.server("trilens-detector")["env"]
    names = [one["name"] for one in env]
    assert len(set(names)) == len(names)
    assert all(one in env for one in extra)
    # A variable is filled in only where it stands after those that it names.
    assert names.index("POD_NAME") < names.index("OTEL_RESOURCE_ATTRIBUTES") < names.index("A")


@pytest.mark.parametrize(
    ("accelerator", "limits"),
    [
        ({"kind": "none"}, {}),
        ({"kind": "whole"}, {"nvidia.com/gpu": 1}),
        ({"kind": "whole", "count": 2, "resource": "amd.com/gpu"}, {"amd.com/gpu": 2}),
        ({"kind": "mig", "profile": "2g.20gb"}, {"nvidia.com/mig-2g.20gb": 1}),
        ({"kind": "shared"}, {"nvidia.com/gpu.shared": 1}),
    ],
    ids=str,
)
def test_an_accelerator_is_a_limit_that_the_scheduler_knows(
    accelerator: Values, limits: dict[str, int]
):
    rendered = render(of_model(accelerator=accelerator))

    found = rendered.server("trilens-detector")["resources"]["limits"]
    assert found == {"memory": "1Gi", **limits}
    tolerated = rendered.pod("trilens-detector").get("tolerations", [])
    assert bool(tolerated) is bool(limits)


def test_a_claim_names_its_devices():
    values = of_model(accelerator={"kind": "dra", "count": 2, "selectors": ["a == 'b'"]})
    rendered = render(values)

    template = rendered.one("ResourceClaimTemplate", "trilens-detector-accelerator")
    (request,) = template["spec"]["spec"]["devices"]["requests"]
    assert request["exactly"] == {
        "deviceClassName": "gpu.nvidia.com",
        "count": 2,
        "selectors": [{"cel": {"expression": "a == 'b'"}}],
    }
    assert rendered.pod("trilens-detector")["resourceClaims"] == [
        {"name": "accelerator", "resourceClaimTemplateName": "trilens-detector-accelerator"}
    ]
    assert rendered.server("trilens-detector")["resources"]["claims"] == [{"name": "accelerator"}]


@pytest.mark.parametrize(
    ("changes", "surge", "away"),
    [
        ({}, 1, 0),
        ({"accelerator": {"kind": "whole"}}, 0, 1),
        ({"accelerator": {"kind": "whole"}, "update": "surge"}, 1, 0),
        ({"update": "replace"}, 0, 1),
    ],
    ids=str,
)
def test_an_upgrade_takes_no_accelerator_that_may_not_be_there(
    changes: Values, surge: int, away: int
):
    strategy = render(of_model(**changes)).deployment("trilens-detector")["strategy"]

    assert strategy["rollingUpdate"] == {"maxSurge": surge, "maxUnavailable": away}


DOWNLOAD = {"source": "download", "uri": "https://x.example/a.tar", "sha256": "5" * 64}


@pytest.mark.parametrize(
    ("package", "volume", "mount"),
    [
        (
            IMAGE,
            {"image": {"reference": "acme/objects:1.1.0", "pullPolicy": "IfNotPresent"}},
            {"mountPath": "/models/objects/1.1.0", "readOnly": True},
        ),
        (
            {"source": "pvc", "claim": "weights", "name": "ours"},
            {"persistentVolumeClaim": {"claimName": "weights", "readOnly": True}},
            {"mountPath": "/models/ours/1.1.0", "subPath": "ours/1.1.0", "readOnly": True},
        ),
        (
            DOWNLOAD,
            {"emptyDir": {"sizeLimit": "2Gi"}},
            {"mountPath": "/models", "readOnly": True},
        ),
    ],
    ids=lambda value: value.get("source", ""),
)
def test_a_package_lies_where_the_server_looks(package: Values, volume: Thing, mount: Thing):
    rendered = render(of_model(package=package))

    pod, server = rendered.pod("trilens-detector"), rendered.server("trilens-detector")
    assert {"name": "package", **volume} in pod["volumes"]
    assert {"name": "package", **mount} in server["volumeMounts"]
    folder = rendered.environment("trilens-detector")["TRILENS_MODEL"]
    assert folder.startswith(mount["mountPath"])


def test_a_download_checks_the_digest_before_the_server_starts():
    rendered = render(of_model(package={**DOWNLOAD, "credentials": "login"}))

    (fetch,) = rendered.pod("trilens-detector")["initContainers"]
    assert fetch["command"] == ["python", "-m", "services.packages", "fetch"]
    assert fetch["args"] == [DOWNLOAD["uri"], "--sha256", "5" * 64, "/models/objects/1.1.0"]
    assert fetch["envFrom"] == [{"secretRef": {"name": "login"}}]
    assert fetch["image"] == rendered.server("trilens-detector")["image"]


def test_a_download_goes_by_the_operators_proxy_and_certificates():
    extra: dict[str, Any] = {
        "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "extraEnvFrom": [{"configMapRef": {"name": "proxies"}}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/ssl/own"}],
    }
    rendered = render(of_model(package=DOWNLOAD, **extra))

    (fetch,) = rendered.pod("trilens-detector")["initContainers"]
    assert fetch["env"] == extra["extraEnv"]
    assert fetch["envFrom"] == extra["extraEnvFrom"]
    assert extra["extraVolumeMounts"][0] in fetch["volumeMounts"]


def test_threshold_sets_restart_the_pods_that_read_them():
    def rendered(edge: float) -> Any:
        return render(of_model(thresholdSets={"strict.json": {"id": "strict-v1", "edge": edge}}))

    (first, second) = (rendered(edge) for edge in (0.5, 0.6))

    files = first.environment("trilens-detector")["TRILENS_THRESHOLD_FILES"]
    assert json.loads(files) == ["/etc/trilens/thresholds/strict.json"]
    data = first.one("ConfigMap", "trilens-detector-thresholds")["data"]
    assert json.loads(data["strict.json"]) == {"id": "strict-v1", "edge": 0.5}
    sums = [
        one.deployment("trilens-detector")["template"]["metadata"]["annotations"]
        for one in (first, second)
    ]
    assert sums[0] != sums[1]


def test_only_a_gateway_that_watches_its_release_has_a_token_and_may_read_two_objects():
    rendered = render()

    tokens = {
        name: one["spec"]["template"]["spec"]["automountServiceAccountToken"]
        for name, one in rendered.of("Deployment").items()
    }
    assert [name for name, token in tokens.items() if token] == ["trilens-gateway"]
    (rule,) = rendered.one("Role", "trilens-gateway")["rules"]
    assert rule["resourceNames"] == ["trilens-release", "trilens-rollout"]
    assert rule["verbs"] == ["get", "watch"]
    alone = render({"gateway": {"watchRelease": False}})
    assert not alone.pod("trilens-gateway")["automountServiceAccountToken"]
    assert not alone.of("Role")


def test_the_api_server_is_reached_on_the_ports_that_it_has():
    def ports(values: Values) -> list[int]:
        rules = render(values).one("NetworkPolicy", "trilens-gateway")["spec"]["egress"]
        (found,) = [rule["ports"] for rule in rules if {"port": 443} in rule["ports"]]
        return [port["port"] for port in found]

    assert ports({}) == [443, 6443]
    assert ports({"networkPolicy": {"apiServerPorts": [443, 8443]}}) == [443, 8443]


def test_the_overlay_of_a_rollout_goes_with_a_rollback_and_with_the_release():
    annotations = render().one("ConfigMap", "trilens-rollout")["metadata"]["annotations"]

    assert annotations["helm.sh/hook"] == "pre-rollback,post-delete"


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("http://collector.monitoring:4317", 4317),
        ("http://collector:4318/", 4318),
        ("http://[fd00::17]:4319/path", 4319),
        ("https://otlp.example", 443),  # what gRPC takes
    ],
)
def test_traces_may_leave_by_the_port_that_they_take(endpoint: str, port: int):
    rendered = render({"telemetry": {"otlpEndpoint": endpoint}})

    for name in ("trilens-gateway", "trilens-detector"):
        rules = rendered.one("NetworkPolicy", name)["spec"]["egress"]
        assert {"ports": [{"port": port}]} in rules


def test_registries_go_global_then_own_then_common():
    values = {
        "image": {"registry": "common.example/"},
        "models": {
            "classifier": {"image": {"registry": "own.example"}},
            "captioner": {"image": {"digest": DIGEST}},
        },
    }

    def images(values: Values) -> list[str]:
        rendered = render(values)
        return [rendered.server(f"trilens-{one}")["image"] for one in ("classifier", "captioner")]

    captioner = f"common.example/trilens/captioner@{DIGEST}"
    assert images(values) == ["own.example/trilens/classifier:0.1.0", captioner]
    mirrored = images({**values, "global": {"imageRegistry": "mirror.example"}})
    assert {image.split("/")[0] for image in mirrored} == {"mirror.example"}


def test_a_pull_secret_is_named_once_however_it_is_given():
    values = {"global": {"imagePullSecrets": ["a", {"name": "b"}]}, "image": {"pullSecrets": ["b"]}}

    pod = render(values).pod("trilens-detector")

    assert pod["imagePullSecrets"] == [{"name": "b"}, {"name": "a"}]


def test_ids_that_are_null_are_left_to_the_cluster():
    rendered = render({"security": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}})

    usual = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert rendered.pod("trilens-detector")["securityContext"] == usual
    assert rendered.one("Pod", "trilens-test-health")["spec"]["securityContext"] == usual
    told = render({"security": {"runAsUser": 1000700000}}).pod("trilens-detector")
    assert told["securityContext"]["runAsUser"] == 1000700000
