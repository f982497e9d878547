"""What an operator may change about the gateway."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import NoDecode

from chassis.images import ImageLimits
from chassis.settings import FROM_JSON, Seconds, ServerSettings, Settings

_OF_HOSTED: Final = ("runtime", "threshold_files", "threshold_set")


class FeatureSettings(BaseModel):
    """One feature: which service answers it, or which package this process hosts for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Literal["classification", "caption", "detection"]
    target: str | None = Field(
        default=None, description="The service, as host:port or dns:///host:port."
    )
    model: str | None = Field(default=None, description="Or the package to host in this process.")
    runtime: Literal["onnxruntime", "tensorflow", "ultralytics"] | None = Field(
        default=None, description="Runtime of a hosted package in place of its own."
    )
    threshold_files: tuple[Path, ...] = Field(
        default=(), description="Files of threshold sets for a hosted package, beside its own."
    )
    threshold_set: str | None = Field(
        default=None, description="A hosted package's threshold set for callers who name none."
    )
    on_by_default: bool = Field(default=True, description="Whether a call that names none gets it.")
    enabled: bool = Field(
        default=True, description="False: nobody is asked, and callers that name it get SKIPPED."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.target is None) == (self.model is None):
            raise ValueError("set either target or model")
        for name in _OF_HOSTED:
            if getattr(self, name) and self.model is None:
                raise ValueError(
                    f"{name} is for a model that is hosted here; set it at the service"
                )
        return self


Features = Annotated[dict[str, FeatureSettings], NoDecode, FROM_JSON, Field(min_length=1)]

DEFAULT_FEATURES = {
    "attributes": FeatureSettings(task="classification", model="models/attributes/1.1.0"),
    "captions": FeatureSettings(task="caption", model="models/captions/1.1.0"),
    "objects": FeatureSettings(task="detection", model="models/objects/1.1.0"),
}


class GatewaySettings(Settings):
    """The features of a deployment and how much it takes at once."""

    features: Features = Field(
        DEFAULT_FEATURES, description="Features by name, as JSON; by default all are hosted here."
    )
    max_image_bytes: int = Field(20 << 20, ge=1, description="Largest encoded photo.")
    max_image_pixels: int = Field(
        ImageLimits().max_pixels, ge=1, description="Largest photo, in pixels before any reduction."
    )
    max_batch_images: int = Field(
        16,
        ge=1,
        le=1000,
        description="Most photos in one batch call; of more than may be active or wait, some are "
        "shed even where nobody else calls.",
    )
    max_active: int = Field(
        0, ge=0, description="Calls worked on at once; 0: two more than compute threads."
    )
    max_waiting: int = Field(128, ge=0, description="Calls that may wait for a place; more: shed.")
    max_held_bytes: int = Field(
        512 << 20, ge=1, description="Bytes of the photos of all calls under way; more: shed."
    )
    max_queue: int = Field(64, ge=1, description="Photos that may wait for a hosted model.")
    max_batch: int = Field(8, ge=1, description="Most photos in a hosted model's batch.")
    explain_seconds: float = Field(
        3.0, ge=0, le=600, description="Longest explanation by a hosted model, in seconds; 0: none."
    )
    max_explaining: int = Field(
        4, ge=1, le=1000, description="Photos a hosted model may explain at once; more: shed."
    )
    release_configmap: str = Field(
        "",
        pattern=r"^$|^[a-z0-9.-]+/[a-z0-9.-]+$",
        description="NAMESPACE/NAME of the ConfigMap with release.json, which is watched.",
    )
    release_overlay: str = Field(
        "",
        pattern=r"^[a-z0-9.-]*$",
        description="Name of the ConfigMap with a rollout's overlay.json, in that namespace.",
    )
    release_file: Path | None = Field(
        None,
        description="File that holds release.json: read until the API server answers, or alone.",
    )
    kubernetes_api: str = Field(
        "", description="URL of the API server; by default that of the cluster around the pod."
    )
    kubernetes_account: Path = Field(
        Path("/var/run/secrets/kubernetes.io/serviceaccount"),
        description="Folder of the pod's token and of the API server's ca.crt.",
    )
    lane_header: bool = Field(
        default=True,
        description="Whether a call may name its lane: trilens-lane: canary or stable.",
    )
    max_shadow: int = Field(
        4, ge=0, le=1000, description="Photos copied to a canary at once; more: not copied."
    )
    shadow_seconds: Seconds = Field(5.0, description="Seconds that a canary gets for a copy.")
    scaler: bool = Field(
        default=False,
        description="Whether the health port answers KEDA as an external scaler, too.",
    )
    scaler_peers: str = Field(
        "",
        pattern=r"^$|^dns:///.+:\d+$",
        description="The health ports of all gateways, as dns:///host:port: the scaler asks them.",
    )


def contradictions(server: ServerSettings, gateway: GatewaySettings) -> Iterator[str]:
    """What each setting allows alone and the two do not allow together."""
    if gateway.max_image_bytes >= server.max_message_bytes:
        yield (
            "TRILENS_MAX_IMAGE_BYTES: must be below TRILENS_MAX_MESSAGE_BYTES, so that a photo "
            "that is too large gets an answer that says so"
        )
    if gateway.scaler_peers and not gateway.scaler:
        yield "TRILENS_SCALER_PEERS: are asked by the scaler: set TRILENS_SCALER=true, too"
    if gateway.release_overlay and not gateway.release_configmap:
        yield "TRILENS_RELEASE_OVERLAY: lies over a release in TRILENS_RELEASE_CONFIGMAP: set that"
    if gateway.release_configmap and not gateway.kubernetes_api:
        yield (
            "TRILENS_RELEASE_CONFIGMAP: no cluster around this process: set TRILENS_KUBERNETES_API"
        )
