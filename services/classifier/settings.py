"""What an operator may change about the classifier."""

from pydantic import Field

from services.hosting import ModelSettings


class ClassifierSettings(ModelSettings):
    """The hosted model and how much of it is asked at once."""

    model: str = Field(
        "models/attributes/1.1.0", description="The model package: a folder or file://."
    )
