"""A package's manifest.json: what it must say, checked as a whole."""

from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from services.runtimes import RuntimeName
from services.schema import REST, LabelId, LabelOrRest, Name, Strict, ThresholdSetId, Version
from services.thresholds import Band, ThresholdSet

FILE: Final = "manifest.json"

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path:
        raise ValueError("must be a relative path inside the package")
    return path


InnerPath = Annotated[str, AfterValidator(_inside)]


class Task(StrEnum):
    """What kind of answer a model gives."""

    CLASSIFICATION = "classification"
    CAPTION = "caption"
    DETECTION = "detection"


class Artifact(Strict):
    """A file that the model is loaded from."""

    path: InnerPath
    sha256: Sha256
    bytes: Annotated[int, Field(gt=0)]


class Preprocessing(Strict):
    """From an upright RGB photo to a network's input: resize, then (x - mean) / std per channel.

    `letterbox` keeps the photo's aspect, with grey around it; `tight_letterbox` leaves out the grey
    that the network's grids do not need, so that the input has the photo's own shape, nearly.
    """

    width: Annotated[int, Field(gt=0, le=4096)]
    height: Annotated[int, Field(gt=0, le=4096)]
    resize: Literal["squash", "letterbox", "tight_letterbox"]
    layout: Literal["NCHW", "NHWC"]
    mean: tuple[float, float, float]
    std: tuple[
        Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]
    ]


class Label(Strict):
    """A label that the model gives; its place in the list is the network's output index."""

    id: LabelId
    name: str


class Calibration(Strict):
    """Platt scaling: probability = sigmoid(scale * logit + offset).

    J. Platt, "Probabilistic outputs for support vector machines", 1999.
    """

    scale: Annotated[float, Field(gt=0)] = 1.0  # the order of a label's scores stays
    offset: float = 0.0


class Metric(Strict):
    """A measured figure, its 95 % interval if there is one, and the examples behind it."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    dataset: str
    split: Literal["val", "test", "val+test"]
    count: Annotated[int, Field(gt=0)]

    @model_validator(mode="after")
    def _bracketed(self) -> Self:
        if (self.low is None) is not (self.high is None):
            raise ValueError("low and high belong together")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low is {self.low:g}, above high: {self.high:g}")
        return self


class License(Strict):
    """The terms of the weights."""

    id: str
    text: str
    commercial_use: bool


class Provenance(Strict):
    """Where the weights come from, and the command that makes them again."""

    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    command: str


class GoldenCase(Strict):
    """A photo of the package with the prediction that the model must give for it."""

    photo: InnerPath
    photo_sha256: Sha256
    expected: InnerPath
    expected_sha256: Sha256


class Golden(Strict):
    """The self-test that a package passes before it serves: values, not 'no crash'."""

    tolerance: Annotated[float, Field(gt=0, le=0.1)] = 1e-3
    cases: Annotated[tuple[GoldenCase, ...], Field(min_length=1)]


Parameter = int | float | str | bool | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]


class Manifest(Strict):
    """All that a service needs to know of a model before it loads it."""

    schema_version: Literal[1] = Field(alias="schema")
    name: Name
    version: Version
    task: Task
    feature: Name
    summary: Annotated[str, Field(min_length=1, max_length=300)]
    runtime: RuntimeName
    artifacts: Annotated[dict[str, Artifact], Field(min_length=1)]
    preprocessing: Preprocessing
    # Pixels of a larger photo would not fit into a message (MAX_MESSAGE_BYTES).
    max_side: Annotated[int, Field(ge=16, le=4096)]
    batch_sizes: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)] = (1,)
    labels: tuple[Label, ...] = ()
    calibration: dict[LabelOrRest, Calibration] = Field(default_factory=dict)
    threshold_sets: dict[ThresholdSetId, ThresholdSet] = Field(default_factory=dict)
    default_threshold_set: ThresholdSetId | None = None
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    # What it is not good at and not for, the most important first.
    limits: tuple[Annotated[str, Field(min_length=1, max_length=300)], ...] = ()
    license: License
    provenance: Provenance
    golden: Golden

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [label.id for label in self.labels]
        if len(set(ids)) != len(ids):
            raise ValueError("labels: ids must differ")
        if self.task is not Task.CAPTION and not ids:
            raise ValueError(f"labels: a {self.task} model needs at least one")
        self._check_thresholds(frozenset(ids))
        unknown = self.calibration.keys() - set(ids) - {REST}
        if unknown:
            raise ValueError(f"calibration: unknown labels {', '.join(sorted(unknown))}")
        if list(self.batch_sizes) != sorted(set(self.batch_sizes)):
            raise ValueError("batch_sizes: must rise")
        return self

    def _check_thresholds(self, labels: frozenset[str]) -> None:
        if self.task is Task.CAPTION:
            if self.threshold_sets or self.default_threshold_set:
                raise ValueError("threshold_sets: a caption model has none")
            return
        if self.default_threshold_set not in self.threshold_sets:
            raise ValueError(f"threshold_sets: {self.default_threshold_set!r} is missing")
        for name, one in self.threshold_sets.items():
            try:
                one.fit(labels)
            except ValueError as problem:
                raise ValueError(f"threshold_sets.{name}: {problem}") from None

    def calibration_of(self, label: str) -> Calibration:
        """The label's own calibration, else the one for the rest, else none: the score as it is."""
        return self.calibration.get(label) or self.calibration.get(REST) or Calibration()

    def bands(self) -> dict[str, Band]:
        """The default set's band for each label; empty for captions."""
        if self.default_threshold_set is None:
            return {}
        chosen = self.threshold_sets[self.default_threshold_set]
        return {label.id: chosen.band(label.id) for label in self.labels}
