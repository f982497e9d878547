"""What the gateway's settings refuse, alone and together."""

from typing import Any

import pytest
from pydantic import ValidationError

from chassis.settings import ServerSettings
from gateway.__main__ import api_around
from gateway.settings import FeatureSettings, GatewaySettings, contradictions


def test_a_photo_limit_above_the_message_limit_is_a_contradiction() -> None:
    server = ServerSettings(max_message_bytes=1 << 20)

    (problem,) = contradictions(server, GatewaySettings(max_image_bytes=1 << 20))

    assert problem.startswith("TRILENS_MAX_IMAGE_BYTES: must be below TRILENS_MAX_MESSAGE_BYTES")
    assert not list(contradictions(server, GatewaySettings(max_image_bytes=1 << 19)))


@pytest.mark.parametrize(
    "setting",
    [{"runtime": "tensorflow"}, {"threshold_files": ("mine.json",)}, {"threshold_set": "mine-v1"}],
    ids=str,
)
def test_what_a_model_is_hosted_with_is_for_hosted_models_only(setting: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=f"{next(iter(setting))} .* set it at the service"):
        FeatureSettings(task="detection", target="detector:50051", **setting)


def test_the_usual_deadline_is_never_longer_than_the_longest() -> None:
    assert ServerSettings(default_deadline=5, max_deadline=2).usual_deadline() == 2


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ({"release_overlay": "over"}, "TRILENS_RELEASE_OVERLAY: lies over a release"),
        ({"release_configmap": "here/it"}, "TRILENS_RELEASE_CONFIGMAP: no cluster around"),
    ],
    ids=["an overlay over nothing", "a ConfigMap without Kubernetes"],
)
def test_a_release_that_nobody_can_follow_is_a_contradiction(
    setting: dict[str, Any], problem: str
) -> None:
    (found,) = contradictions(ServerSettings(), GatewaySettings(**setting))

    assert found.startswith(problem)


@pytest.mark.parametrize("place", ["no-namespace", "a/b/c", "Upper/case", "a/"])
def test_a_configmap_is_named_with_its_namespace(place: str) -> None:
    with pytest.raises(ValidationError, match="release_configmap"):
        GatewaySettings(release_configmap=place)


@pytest.mark.parametrize(
    ("host", "url"),
    [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443"), ("", "")],
)
def test_the_api_server_is_where_kubernetes_says(host: str, url: str) -> None:
    around = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"}

    assert api_around(around) == url
