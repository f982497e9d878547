"""Two packages on the same examples: figures side by side, and how surely they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

import numpy as np

from services.manifest import Task
from services.packages import Package
from training.bootstrap import SAMPLES, Difference, Estimate, differences, estimates
from training.tested import Figure, Tested, TestedTask


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of both packages."""

    figure: Figure
    old: float
    new: float
    difference: Difference  # new minus old

    @property
    def better(self) -> float:
        """Share of bootstrap samples in which the new one is better."""
        return 1 - self.difference.better if self.figure.less_is_better else self.difference.better

    @property
    def verdict(self) -> str:
        """`better` or `worse` where the interval leaves out 0, else `no clear difference`."""
        if not self.difference.significant:
            return "no clear difference"
        return "better" if (self.difference.value > 0) ^ self.figure.less_is_better else "worse"


@dataclass(frozen=True, slots=True)
class Comparison:
    """All figures of both, and how often their answers differ."""

    dataset: str
    split: str
    count: int
    unit: str
    figures: tuple[Compared, ...]
    disagreement: Mapping[str, float]  # in [0, 1], by what it is a share of


def tested_task(task: Task) -> TestedTask[Any, Any]:
    """How models of a task are tested."""
    name = {
        Task.CLASSIFICATION: "tested_faces",
        Task.CAPTION: "tested_captions",
        Task.DETECTION: "tested_boxes",
    }[task]
    return cast("TestedTask[Any, Any]", import_module(f"training.{name}"))


def compare(old: Package, new: Package, examples: object, samples: int = SAMPLES) -> Comparison:
    """Tests both on the examples, for the labels that both and the examples know.

    Raises ValueError for packages of different tasks, and where no label is left.
    """
    task = tested_task(old.manifest.task)
    if new.manifest.task is not old.manifest.task:
        raise ValueError(
            f"{old.path} is for {old.manifest.task}, {new.path} for {new.manifest.task}"
        )
    labels = common_labels(examples, old, new)
    before, after = (task.test(package, examples, labels) for package in (old, new))
    found = differences(before.measures, after.measures, before.count, samples)
    ones = np.ones(before.count)
    return Comparison(
        dataset=before.dataset,
        split=before.split,
        count=before.count,
        unit=before.unit,
        figures=tuple(
            Compared(figure, float(was), float(now), difference)
            for figure, was, now, difference in zip(
                before.figures, before.measures(ones), after.measures(ones), found, strict=True
            )
            if not np.isnan(difference.value)
        ),
        disagreement=task.disagreement(before, after),
    )


def evaluate(
    package: Package, examples: object, samples: int = SAMPLES
) -> tuple[Tested[Any], tuple[Estimate, ...]]:
    """Tests one package; its figures, each with its interval."""
    task = tested_task(package.manifest.task)
    tested = task.test(package, examples, common_labels(examples, package))
    return tested, estimates(tested.measures, tested.count, samples)


def check_task(package: Package, wanted: Task) -> None:
    """Raises ValueError for a package of another task."""
    if package.manifest.task is not wanted:
        raise ValueError(f"{package.path} is for {package.manifest.task}, not for {wanted}")


def check_labels(package: Package, wanted: tuple[str, ...], whose: str) -> None:
    """Raises ValueError unless the package's labels are just these, in this order.

    The default models' own evaluations go by the labels' places.
    """
    if tuple(label.id for label in package.manifest.labels) != wanted:
        raise ValueError(
            f"{package.path} has other labels than {whose}: measure it on examples of its own, "
            "by python -m training.evaluate with --own"
        )


def common_labels(examples: object, *packages: Package) -> tuple[str, ...]:
    """The labels that the examples and all packages know, in the examples' order.

    Raises ValueError if there is none, where the task has labels.
    """
    task = packages[0].manifest.task
    known = [{label.id for label in package.manifest.labels} for package in packages]
    named = tested_task(task).label_ids(examples)
    common = tuple(label for label in named if all(label in ids for ids in known))
    if named and not common:
        raise ValueError(f"no label is known to all: the examples name {', '.join(named[:8])}")
    return common
