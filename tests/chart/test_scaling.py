"""Who decides on the number of a track's replicas, and by what."""

from typing import Any

import pytest

from tests.chart.rendering import of_model, render


@pytest.mark.parametrize("mode", ["hpa", "keda"])
def test_an_autoscaler_owns_its_number(mode: str):
    rendered = render(of_model(replicas=2, scaling={"mode": mode, "max": 6}))

    assert "replicas" not in rendered.deployment("trilens-detector")
    assert rendered.deployment("trilens-captioner")["replicas"] == 1
    kind = {"hpa": "HorizontalPodAutoscaler", "keda": "ScaledObject"}[mode]
    spec = rendered.one(kind, "trilens-detector")["spec"]
    names = {"hpa": ("minReplicas", "maxReplicas"), "keda": ("minReplicaCount", "maxReplicaCount")}
    assert [spec[name] for name in names[mode]] == [2, 6]


def test_keda_adds_up_what_each_pod_says_about_its_line_and_its_work():
    rendered = render(of_model(scaling={"mode": "keda", "max": 6}))

    line, work = rendered.one("ScaledObject", "trilens-detector")["spec"]["triggers"]
    assert line["metadata"] == {
        "url": "http://trilens-detector.photos.svc.cluster.local:9090/metrics",
        "format": "prometheus",
        "valueLocation": "trilens_queue_backlog_seconds",
        "aggregateFromKubeServiceEndpoints": "true",
        "aggregationType": "sum",
        "targetValue": "0.5",
    }
    in_flight = {"valueLocation": "trilens_in_flight", "targetValue": "4"}
    assert work["metadata"] == {**line["metadata"], **in_flight}
    # KEDA looks the port up among those of the Service.
    ports = rendered.one("Service", "trilens-detector")["spec"]["ports"]
    assert 9090 in [port["port"] for port in ports]


@pytest.mark.parametrize(
    ("most", "said", "aim"), [(32, {}, "16"), (1, {}, "1"), (32, {"inFlight": 20}, "20")]
)
def test_half_a_batch_is_what_a_pod_should_be_at_work_on(most: int, said: dict[str, Any], aim: str):
    scaling = {"mode": "keda", "max": 6, "keda": said}
    rendered = render(of_model(settings={"max_batch": most}, scaling=scaling))

    _, work = rendered.one("ScaledObject", "trilens-detector")["spec"]["triggers"]
    assert work["metadata"]["targetValue"] == aim


def test_from_zero_the_gateways_say_what_waits():
    scaling = {"mode": "keda", "min": 0, "max": 2, "keda": {"trigger": "gateway"}}
    rendered = render(of_model(scaling=scaling))

    assert rendered.environment("trilens-gateway")["TRILENS_SCALER"] == "true"
    (trigger,) = rendered.one("ScaledObject", "trilens-detector")["spec"]["triggers"]
    host = "trilens-gateway-headless.photos.svc.cluster.local:50052"
    assert trigger["metadata"]["scalerAddress"] == host
    assert "activeSeconds" not in trigger["metadata"]  # the gateways' own
    assert "TRILENS_SCALER" not in render().environment("trilens-gateway")


def test_how_long_a_photo_counts_as_work_is_for_the_operator_to_say():
    keda = {"trigger": "gateway", "activeSeconds": 120}
    rendered = render(of_model(scaling={"mode": "keda", "min": 0, "max": 2, "keda": keda}))

    (trigger,) = rendered.one("ScaledObject", "trilens-detector")["spec"]["triggers"]
    assert trigger["metadata"]["activeSeconds"] == "120"
