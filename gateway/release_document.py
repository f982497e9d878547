"""The two documents that say what a release is: Helm's own, and the overlay a rollout lays over it.

A field that is not known is left alone: a chart may be newer than the gateways it reaches. What an
older gateway must not overlook gets a new number of the schema.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

# Keys of the two ConfigMaps' data.
RELEASE_KEY: Final = "release.json"
OVERLAY_KEY: Final = "overlay.json"

_MAX_CHARACTERS: Final = 128 << 10

Percent = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
# They become labels of metrics and part of what callers' keys are hashed with.
Text = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[!-<>-~]+$")]
FeatureName = Text
Target = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[!-~]+$")]
T = TypeVar("T")


class MalformedDocument(ValueError):
    """What is wrong with a document, in a line for its operator."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, populate_by_name=True)


class Stable(_Part):
    """A feature's model on the stable track."""

    version: Text


class Canary(_Part):
    """A feature's model on the canary track, and the service that has it."""

    version: Text
    target: Target


class ReleaseDocument(_Part):
    """A release as Helm rendered it; `revision` is Helm's own."""

    schema_: Literal[1] = Field(alias="schema")
    revision: Annotated[int, Field(ge=0)]
    weight: Percent
    shadow: Percent
    stable: Annotated[Mapping[FeatureName, Stable], Field(max_length=64)]
    canary: Annotated[Mapping[FeatureName, Canary], Field(max_length=64)]


class Overlay(_Part):
    """A rollout's weights over one state of a release, known by its object's uid and version.

    Any write to the release's object makes another state of it, and the overlay void.
    """

    schema_: Literal[1] = Field(alias="schema")
    rollout: Text
    uid: Text
    resource_version: Text
    weight: Percent
    shadow: Percent

    def json_text(self) -> str:
        """The document as it is stored."""
        return self.model_dump_json(by_alias=True)


def read_release(text: str) -> ReleaseDocument:
    """The release that the text describes; raises MalformedDocument."""
    return _read(text, ReleaseDocument.model_validate_json)


def read_overlay(text: str) -> Overlay:
    """The overlay that the text describes; raises MalformedDocument."""
    return _read(text, Overlay.model_validate_json)


def _read(text: str, parse: Callable[[str], T]) -> T:
    if len(text) > _MAX_CHARACTERS:
        raise MalformedDocument(f"longer than {_MAX_CHARACTERS} characters")
    try:
        return parse(text)
    except ValidationError as error:
        raise MalformedDocument("; ".join(map(_problem, error.errors()))) from None


def _problem(problem: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])
