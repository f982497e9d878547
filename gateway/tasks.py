"""Tasks: what tells classification, caption and detection apart, in one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chassis.options import Options
from trilens.v1 import (
    captioner_pb2,
    captioner_pb2_grpc,
    classifier_pb2,
    classifier_pb2_grpc,
    detector_pb2,
    detector_pb2_grpc,
    model_pb2,
)

Result = classifier_pb2.Classification | captioner_pb2.Caption | detector_pb2.Detection


@dataclass(frozen=True, slots=True)
class Task:
    """A kind of answer. Its name is that of its field wherever options or results are held."""

    name: str
    value: model_pb2.Task  # in the contract
    no_options: Options
    result: type[Result]
    stub: Any  # of the service that answers it
    method: str
    request: Any

    @property
    def service(self) -> str:
        """Full name of the service that answers it."""
        (service,) = self.request.DESCRIPTOR.file.services_by_name.values()
        return str(service.full_name)


TASKS: Final[Mapping[str, Task]] = {
    task.name: task
    for task in (
        Task(
            "classification",
            model_pb2.TASK_CLASSIFICATION,
            classifier_pb2.ClassificationOptions(),
            classifier_pb2.Classification,
            classifier_pb2_grpc.ClassifierServiceStub,
            "ClassifyImage",
            classifier_pb2.ClassifyImageRequest,
        ),
        Task(
            "caption",
            model_pb2.TASK_CAPTION,
            captioner_pb2.CaptionOptions(),
            captioner_pb2.Caption,
            captioner_pb2_grpc.CaptionerServiceStub,
            "CaptionImage",
            captioner_pb2.CaptionImageRequest,
        ),
        Task(
            "detection",
            model_pb2.TASK_DETECTION,
            detector_pb2.DetectionOptions(),
            detector_pb2.Detection,
            detector_pb2_grpc.DetectorServiceStub,
            "DetectObjects",
            detector_pb2.DetectObjectsRequest,
        ),
    )
}
RESULT_FIELDS: Final[Mapping[type[Result], str]] = {one.result: one.name for one in TASKS.values()}
