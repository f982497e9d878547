"""What the gateway's settings refuse, alone and together."""

import pytest
from pydantic import ValidationError

from chassis.settings import ServerSettings
from gateway.settings import FeatureSettings, GatewaySettings, contradictions


def test_a_photo_limit_above_the_message_limit_is_a_contradiction() -> None:
    server = ServerSettings(max_message_bytes=1 << 20)

    (problem,) = contradictions(server, GatewaySettings(max_image_bytes=1 << 20))

    assert problem.startswith("TRILENS_MAX_IMAGE_BYTES: must be below TRILENS_MAX_MESSAGE_BYTES")
    assert not list(contradictions(server, GatewaySettings(max_image_bytes=1 << 19)))


def test_a_runtime_is_for_hosted_models_only() -> None:
    with pytest.raises(ValidationError, match="set it at the service"):
        FeatureSettings(task="detection", target="detector:50051", runtime="tensorflow")


def test_the_usual_deadline_is_never_longer_than_the_longest() -> None:
    assert ServerSettings(default_deadline=5, max_deadline=2).usual_deadline() == 2
