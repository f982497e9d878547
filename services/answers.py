"""Answers: what a service gives, whether over gRPC or called directly, and which model gave it."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from services.batcher import Predicted
from services.manifest import Task
from services.model import Box
from services.packages import Package
from trilens.v1 import image_pb2, model_pb2

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


def model_ref(package: Package, threshold_set: str = "") -> model_pb2.ModelRef:
    """The package as callers cite it; no threshold set where the task has none."""
    manifest = package.manifest
    return model_pb2.ModelRef(
        name=manifest.name,
        version=manifest.version,
        digest=package.digest,
        threshold_set=threshold_set or manifest.default_threshold_set or "",
    )


def describe(package: Package, max_side: int, runtime: str) -> model_pb2.Model:
    """The package as GetModel tells of it."""
    manifest = package.manifest
    bands = manifest.bands()
    return model_pb2.Model(
        ref=model_ref(package),
        feature=manifest.feature,
        task=_TASKS[manifest.task],
        summary=manifest.summary,
        labels=[
            model_pb2.LabelDescription(
                id=one.id, name=one.name, threshold=bands[one.id].present or 0.0
            )
            for one in manifest.labels
        ],
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
            )
            for one in manifest.metrics
        ],
        max_side=max_side,
        runtime=runtime,
        threshold_sets=sorted(manifest.threshold_sets),
    )


def box_message(box: Box) -> image_pb2.BoundingBox:
    """A box as the contract holds it."""
    return image_pb2.BoundingBox(x_min=box.x_min, y_min=box.y_min, x_max=box.x_max, y_max=box.y_max)
