"""What a package answered about examples of known truth, ready to be measured and compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from services.packages import Package
from services.thresholds import ThresholdSet
from training.bootstrap import Measures
from training.precision import Scored
from training.threshold_fit import FitPolicy

A = TypeVar("A")
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure's name, and whether a lower one is better, as of errors."""

    name: str
    less_is_better: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Tested(Generic[A]):
    """One package on some examples."""

    dataset: str
    split: str
    count: int  # examples, in the same order for every package
    unit: str  # what they are: "faces" or "photos"
    figures: tuple[Figure, ...]
    measures: Measures  # of the figures, in that order
    scored: Mapping[str, Scored]  # by label; empty for captions
    answers: tuple[A, ...]  # one for each example


class TestedTask(Protocol[E, A]):
    """A task's way from a package and examples (`E`) to figures and answers (`A`)."""

    def examples(self, data: Path, split: str) -> E:
        """The project's own examples of a split."""

    def own(self, table: Path, photos: Path | None, package: Package) -> E:
        """A team's examples: a table, or a folder in the task's own form."""

    def label_ids(self, examples: E) -> tuple[str, ...]:
        """The labels whose truth is known of some example; none for captions."""

    def test(self, package: Package, examples: E, labels: tuple[str, ...]) -> Tested[A]:
        """Predicts the examples; `labels` are those to measure, of those that both know."""

    def disagreement(self, old: Tested[A], new: Tested[A]) -> Mapping[str, float]:
        """Shares of answers that differ, each by what it is a share of."""

    def thresholds(self, package: Package, examples: E, policy: FitPolicy) -> ThresholdSet:
        """A threshold set fitted to the examples; ValueError for models without thresholds."""
