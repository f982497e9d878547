"""What the gateway's settings refuse, alone and together."""

from typing import Any

import pytest
from pydantic import ValidationError

from chassis.settings import ServerSettings
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
