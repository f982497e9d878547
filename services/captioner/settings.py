"""What an operator may change about the captioner."""

from pydantic import Field

from services.hosting import ModelSettings


class CaptionerSettings(ModelSettings):
    """The hosted model and how much of it is asked at once."""

    model: str = Field(
        "models/captions/1.1.0", description="The model package: a folder or file://."
    )
