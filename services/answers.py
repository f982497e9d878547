"""Answers: what a service gives, whether over gRPC or called directly, and which model gave it."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from services.batcher import Predicted
from services.manifest import Manifest, Task
from services.model import Box
from services.packages import Package
from services.served_sets import ServedSets
from services.thresholds import Band, Policy, Reached, ThresholdSet
from trilens.v1 import decision_pb2, explanation_pb2, image_pb2, model_pb2

R = TypeVar("R")

_TASKS = {
    Task.CLASSIFICATION: model_pb2.TASK_CLASSIFICATION,
    Task.CAPTION: model_pb2.TASK_CAPTION,
    Task.DETECTION: model_pb2.TASK_DETECTION,
}


@dataclass(frozen=True, slots=True)
class Answer(Generic[R]):
    """A result with the model behind it and where the time went."""

    result: R
    model: model_pb2.ModelRef
    timings: model_pb2.Timings


def answer(
    result: R, predicted: Predicted[Any], package: Package, threshold_set: str = ""
) -> Answer[R]:
    """The result of a prediction as an answer."""
    timings = model_pb2.Timings(
        queue_seconds=predicted.queue_seconds,
        infer_seconds=predicted.infer_seconds,
        batch_size=predicted.batch_size,
    )
    return Answer(result, model_ref(package, threshold_set), timings)


def model_ref(package: Package, threshold_set: str) -> model_pb2.ModelRef:
    """The package as callers cite it; the threshold set is empty where the task has none."""
    manifest = package.manifest
    return model_pb2.ModelRef(
        name=manifest.name,
        version=manifest.version,
        digest=package.digest,
        threshold_set=threshold_set,
    )


def describe(
    package: Package,
    sets: ServedSets,
    max_side: int,
    runtime: str,
    explanation_method: explanation_pb2.ExplanationMethod,
) -> model_pb2.Model:
    """The package, and what it is served with, as GetModel tells of it."""
    manifest = package.manifest
    return model_pb2.Model(
        ref=model_ref(package, sets.default),
        feature=manifest.feature,
        task=_TASKS[manifest.task],
        summary=manifest.summary,
        labels=_labels(manifest, sets),
        license=model_pb2.License(
            id=manifest.license.id,
            text=manifest.license.text,
            commercial_use=manifest.license.commercial_use,
        ),
        metrics=[
            model_pb2.Metric(
                name=one.name,
                value=one.value,
                dataset=one.dataset,
                split=one.split,
                count=one.count,
                low=one.low,
                high=one.high,
            )
            for one in manifest.metrics
        ],
        limits=manifest.limits,
        max_side=max_side,
        runtime=runtime,
        threshold_sets=[_set(*cited) for cited in sorted(sets.by_id.items())],
        explanation_method=explanation_method,
    )


def box_message(box: Box) -> image_pb2.BoundingBox:
    """A box as the contract holds it."""
    return image_pb2.BoundingBox(x_min=box.x_min, y_min=box.y_min, x_max=box.x_max, y_max=box.y_max)


def _labels(manifest: Manifest, sets: ServedSets) -> list[model_pb2.LabelDescription]:
    bands = {one.id: sets.by_id[sets.default].band(one.id) for one in manifest.labels}
    return [
        model_pb2.LabelDescription(
            id=one.id,
            name=one.name,
            present_from=bands[one.id].present,
            absent_below=bands[one.id].absent,
        )
        for one in manifest.labels
    ]


def _set(cited: str, thresholds: ThresholdSet) -> decision_pb2.ThresholdSet:
    return decision_pb2.ThresholdSet(
        id=cited,
        policy=_policy(thresholds.policy) if thresholds.policy else None,
        bands=[_band(label, band) for label, band in sorted(thresholds.labels.items())],
    )


def _policy(policy: Policy) -> decision_pb2.ThresholdPolicy:
    return decision_pb2.ThresholdPolicy(
        name=policy.name,
        target_precision=policy.target_precision,
        target_absent=policy.target_absent,
        dataset=policy.dataset,
        split=policy.split,
        count=policy.count,
    )


def _band(label: str, band: Band) -> decision_pb2.LabelBand:
    return decision_pb2.LabelBand(
        label=label,
        present_from=band.present,
        absent_below=band.absent,
        when_present=_quality(band.when_present),
        when_absent=_quality(band.when_absent),
    )


def _quality(reached: Reached | None) -> decision_pb2.DecisionQuality | None:
    if reached is None:
        return None
    return decision_pb2.DecisionQuality(
        precision=reached.precision,
        precision_low=reached.precision_low,
        recall=reached.recall,
        coverage=reached.coverage,
        count=reached.count,
    )
