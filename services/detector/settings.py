"""What an operator may change about the detector."""

from pydantic import Field

from services.hosting import ModelSettings


class DetectorSettings(ModelSettings):
    """The hosted model and how much of it is asked at once."""

    model: str = Field(
        "models/objects/1.1.0", description="The model package: a folder or file://."
    )
