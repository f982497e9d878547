"""What an operator may change about the gateway."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import NoDecode

from chassis.settings import FROM_JSON, Settings


class FeatureSettings(BaseModel):
    """One feature: which service answers it, or which package this process hosts for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Literal["classification", "caption", "detection"]
    target: str | None = Field(
        default=None, description="The service, as host:port or dns:///host:port."
    )
    model: str | None = Field(default=None, description="Or the package to host in this process.")
    on_by_default: bool = Field(default=True, description="Whether a call that names none gets it.")
    enabled: bool = Field(
        default=True, description="False: nobody is asked, and callers that name it get SKIPPED."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.target is None) == (self.model is None):
            raise ValueError("set either target or model")
        return self


Features = Annotated[dict[str, FeatureSettings], NoDecode, FROM_JSON, Field(min_length=1)]

DEFAULT_FEATURES = {
    "attributes": FeatureSettings(task="classification", model="models/attributes/1.0.0"),
    "captions": FeatureSettings(task="caption", model="models/captions/1.0.0"),
    "objects": FeatureSettings(task="detection", model="models/objects/1.0.0"),
}


class GatewaySettings(Settings):
    """The features of a deployment and how much it takes at once."""

    features: Features = Field(
        DEFAULT_FEATURES, description="Features by name, as JSON; by default all are hosted here."
    )
    max_image_bytes: int = Field(20 << 20, ge=1, description="Largest encoded photo.")
    max_image_pixels: int = Field(50_000_000, ge=1, description="Largest decoded photo.")
    max_batch_images: int = Field(16, ge=1, le=1000, description="Most photos in one batch call.")
    max_active: int = Field(
        0, ge=0, description="Calls worked on at once; 0: two more than compute threads."
    )
    max_waiting: int = Field(128, ge=0, description="Calls that may wait for a place; more: shed.")
    max_queue: int = Field(64, ge=1, description="Photos that may wait for a hosted model.")
    max_batch: int = Field(8, ge=1, description="Most photos in a hosted model's batch.")
