"""The images bake what their services take by default."""

import re

import pytest

from services.captioner.settings import CaptionerSettings
from services.classifier.settings import ClassifierSettings
from services.detector.settings import DetectorSettings
from services.hosting import ModelSettings
from tests.harness import ROOT

STAGES = dict(
    re.findall(
        r"^FROM service AS (\w+)\n((?:(?!FROM).+\n)*)", (ROOT / "Dockerfile").read_text(), re.M
    )
)


@pytest.mark.parametrize(
    ("stage", "settings"),
    [
        ("classifier", ClassifierSettings),
        ("captioner", CaptionerSettings),
        ("detector", DetectorSettings),
    ],
)
def test_an_image_holds_the_package_that_its_service_takes_by_default(
    stage: str, settings: type[ModelSettings]
) -> None:
    model = settings.model_fields["model"].default

    assert f"ARG MODEL={model.removeprefix('models/')}\n" in STAGES[stage]
    assert f'ENTRYPOINT ["python", "-m", "services.{stage}"]' in STAGES[stage]
