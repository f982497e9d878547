"""Threshold sets: from which score on a label is present, below which it is absent, and why."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from services.schema import REST, LabelOrRest, Name, Probability, Strict, ThresholdSetId, Version


class Reached(Strict):
    """How right one decision was on the examples that a set was fitted on."""

    precision: Probability  # share of these decisions that were right
    precision_low: Probability  # its one-sided 95 % bound, by Clopper and Pearson
    recall: Probability  # share of the examples deserving this decision that got it
    coverage: Probability | None = None  # share of all examples that got it; boxes have no "all"
    count: Annotated[int, Field(gt=0)]  # decisions of this kind


class Band(Strict):
    """A label's two edges: from `present` on it is present, below `absent` absent, else uncertain.

    Without `present` it is never given, unless callers bring a threshold of their own: so a label
    is marked that the model does not really know.
    """

    present: Probability | None
    absent: Probability
    when_present: Reached | None = None
    when_absent: Reached | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.present is not None and self.absent > self.present:
            raise ValueError(f"absent is {self.absent:g}, above present: {self.present:g}")
        return self


class Policy(Strict):
    """What a set was fitted to, and on which examples; sets made by hand have none."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    target_precision: Probability  # of "present"; a point estimate, like the next
    target_absent: Probability | None = None  # share of "absent" that shall be right
    dataset: Annotated[str, Field(min_length=1)]
    split: Annotated[str, Field(min_length=1)]  # such as "val"
    count: Annotated[int, Field(gt=0)]  # examples: faces, or photos with boxes


class ThresholdSet(Strict):
    """Bands by label id, or "*" for the rest."""

    policy: Policy | None = None
    labels: Annotated[dict[LabelOrRest, Band], Field(min_length=1)]

    def band(self, label: str) -> Band:
        """The label's band; KeyError if the set says nothing of it."""
        return self.labels.get(label) or self.labels[REST]

    def fit(self, labels: frozenset[str]) -> None:
        """Raises ValueError unless it has a band for each of these labels, and for no other."""
        if unknown := self.labels.keys() - labels - {REST}:
            raise ValueError(f"unknown labels {', '.join(sorted(unknown))}")
        if REST not in self.labels and (missing := labels - self.labels.keys()):
            raise ValueError(f"no threshold for {', '.join(sorted(missing))}")


class ThresholdFile(ThresholdSet):
    """A set as a file of its own, which an operator serves with in place of the package's."""

    id: ThresholdSetId
    model: Name  # whose scores it was made for
    version: Version | None = None  # of that model; None: any
