"""A Trilens server that answers as told: a real gRPC server with a script instead of models."""

import hashlib
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from google.protobuf import any_pb2, message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from PIL import Image

from trilens.channel import MAX_MESSAGE_BYTES
from trilens.v1 import (
    analysis_pb2,
    analysis_pb2_grpc,
    captioner_pb2,
    classifier_pb2,
    decision_pb2,
    detector_pb2,
    image_pb2,
    model_pb2,
    model_pb2_grpc,
)

Answer = Callable[[analysis_pb2.AnalyzeImageRequest], analysis_pb2.AnalyzeImageResponse]


class Refusal(Exception):
    """Ends a call with this code and these details, as the servers' own errors do."""

    def __init__(
        self,
        code: grpc.StatusCode,
        text: str,
        reason: str = "",
        details: Sequence[message.Message] = (),
    ) -> None:
        super().__init__(text)
        self.code = code
        self.status = status(code.name, text, reason, details)


class FakeGateway(analysis_pb2_grpc.ImageAnalysisServiceServicer):
    """Answers every photo with `answer`, and remembers what it was asked."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer or (lambda request: full_answer(request.image.content))
        self.requests: list[analysis_pb2.AnalyzeImageRequest] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.capabilities = capabilities()
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()

    def AnalyzeImage(self, request, context):
        with self._lock:
            self.requests.append(request)
            self.metadata.append(dict(context.invocation_metadata()))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self.answer(request)
        except Refusal as refusal:
            refuse(context, refusal)
        finally:
            with self._lock:
                self._at_once -= 1

    def GetCapabilities(self, request, context):
        return self.capabilities


class FakeModelService(model_pb2_grpc.ModelServiceServicer):
    """Tells of the one model of a single service."""

    def GetModel(self, request, context):
        return model_pb2.GetModelResponse(model=objects_model())


def refuse(context: grpc.ServicerContext, refusal: Refusal) -> None:
    if refusal.status.details:
        serialized = refusal.status.SerializeToString()
        context.set_trailing_metadata((("grpc-status-details-bin", serialized),))
    context.abort(refusal.code, str(refusal))


@contextmanager
def serving(
    gateway: analysis_pb2_grpc.ImageAnalysisServiceServicer | None = None,
    model_service: model_pb2_grpc.ModelServiceServicer | None = None,
    credentials: grpc.ServerCredentials | None = None,
) -> Iterator[str]:
    """Serves on a free port of this machine; gives HOST:PORT."""
    options = (("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),)
    server = grpc.server(ThreadPoolExecutor(16), options=options)
    if gateway is not None:
        analysis_pb2_grpc.add_ImageAnalysisServiceServicer_to_server(gateway, server)
    if model_service is not None:
        model_pb2_grpc.add_ModelServiceServicer_to_server(model_service, server)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def status(
    code: str, text: str, reason: str = "", details: Sequence[message.Message] = ()
) -> status_pb2.Status:
    made = status_pb2.Status(code=code_pb2.Code.Value(code), message=text)
    info = (error_details_pb2.ErrorInfo(reason=reason, domain="trilens"),) if reason else ()
    for detail in (*info, *details):
        packed = any_pb2.Any()
        packed.Pack(detail)
        made.details.append(packed)
    return made


def box(x_min: float, y_min: float, x_max: float, y_max: float) -> image_pb2.BoundingBox:
    return image_pb2.BoundingBox(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max)


def score(label: str, value: float) -> classifier_pb2.LabelScore:
    present = value >= 0.5
    return classifier_pb2.LabelScore(
        label=label,
        score=value,
        present_from=0.5,
        absent_below=0.5,
        decision=decision_pb2.DECISION_PRESENT if present else decision_pb2.DECISION_ABSENT,
    )


def unsure(label: str, value: float) -> classifier_pb2.LabelScore:
    return classifier_pb2.LabelScore(
        label=label,
        score=value,
        present_from=0.7,
        absent_below=0.1,
        decision=decision_pb2.DECISION_UNCERTAIN,
        likelihood=decision_pb2.LIKELIHOOD_POSSIBLE,
    )


def found(label: str, value: float, *corners: float) -> detector_pb2.DetectedObject:
    return detector_pb2.DetectedObject(
        label=label,
        score=value,
        present_from=0.25,
        absent_below=0.25,
        decision=decision_pb2.DECISION_PRESENT,
        likelihood=decision_pb2.LIKELIHOOD_VERY_LIKELY,
        box=box(*corners),
    )


def ok(name: str, **result: message.Message) -> analysis_pb2.FeatureOutcome:
    return analysis_pb2.FeatureOutcome(
        state=analysis_pb2.STATE_OK,
        model=model_pb2.ModelRef(
            name=name, version="1.0.0", digest="0" * 64, threshold_set="default-v1"
        ),
        timings=model_pb2.Timings(queue_seconds=0.002, infer_seconds=0.041, batch_size=1),
        total_seconds=0.05,
        **result,
    )


def full_answer(content: bytes = b"") -> analysis_pb2.AnalyzeImageResponse:
    """One smiling face, one sentence, one person."""
    labels = [score("smiling", 0.97), score("eyeglasses", 0.02)]
    face = classifier_pb2.Face(box=box(0.3, 0.1, 0.6, 0.5), confidence=0.99, labels=labels)
    outcomes = {
        "attributes": ok(
            "attributes",
            classification=classifier_pb2.Classification(labels=labels, faces=[face]),
        ),
        "captions": ok("captions", caption=captioner_pb2.Caption(text="a woman smiles")),
        "objects": ok(
            "objects",
            detection=detector_pb2.Detection(objects=[found("person", 0.93, 0.1, 0.1, 0.9, 1.0)]),
        ),
    }
    return analysis_pb2.AnalyzeImageResponse(
        outcomes=outcomes,
        completeness=analysis_pb2.COMPLETENESS_FULL,
        image=properties(content),
        request_id="made-by-server",
        lane="stable",
    )


def partial_answer(content: bytes = b"") -> analysis_pb2.AnalyzeImageResponse:
    """The captioner was too slow, the rest answered."""
    answer = full_answer(content)
    answer.outcomes["captions"].CopyFrom(
        analysis_pb2.FeatureOutcome(
            state=analysis_pb2.STATE_TIMED_OUT,
            status=status("DEADLINE_EXCEEDED", "no answer within 1 s", "DEADLINE_EXCEEDED"),
            total_seconds=1.0,
        )
    )
    answer.completeness = analysis_pb2.COMPLETENESS_PARTIAL
    return answer


def properties(content: bytes) -> image_pb2.ImageProperties:
    try:
        with Image.open(io.BytesIO(content)) as photo:
            width, height, form = *photo.size, str(photo.format).lower()
    except OSError:
        width, height, form = 4, 3, "png"
    digest = hashlib.sha256(content).hexdigest()
    return image_pb2.ImageProperties(width=width, height=height, format=form, sha256=digest)


def capabilities() -> analysis_pb2.GetCapabilitiesResponse:
    attributes = model_pb2.Model(
        ref=model_pb2.ModelRef(name="faces", version="1.2.0"),
        feature="attributes",
        task=model_pb2.TASK_CLASSIFICATION,
        labels=[model_pb2.LabelDescription(id="smiling", name="Smiling", present_from=0.5)],
        license=model_pb2.License(id="Apache-2.0", commercial_use=True),
        runtime="onnxruntime",
    )
    return analysis_pb2.GetCapabilitiesResponse(
        features=[
            analysis_pb2.FeatureDescription(
                feature="attributes",
                task=model_pb2.TASK_CLASSIFICATION,
                on_by_default=True,
                model=attributes,
            ),
            analysis_pb2.FeatureDescription(
                feature="captions", task=model_pb2.TASK_CAPTION, on_by_default=False
            ),
            analysis_pb2.FeatureDescription(
                feature="objects",
                task=model_pb2.TASK_DETECTION,
                on_by_default=True,
                model=objects_model(),
            ),
        ]
    )


def precision_90() -> decision_pb2.ThresholdSet:
    reached = decision_pb2.DecisionQuality(
        precision=0.91, precision_low=0.72, recall=0.5, coverage=0.25, count=40
    )
    return decision_pb2.ThresholdSet(
        id="precision-90-v1",
        policy=decision_pb2.ThresholdPolicy(
            name="precision-90", target_precision=0.9, dataset="coco", split="val", count=600
        ),
        bands=[
            decision_pb2.LabelBand(label="*", absent_below=0.25),
            decision_pb2.LabelBand(
                label="person", present_from=0.25, absent_below=0.125, when_present=reached
            ),
            decision_pb2.LabelBand(label="traffic_light", present_from=0.3, absent_below=0.3),
        ],
    )


def objects_model() -> model_pb2.Model:
    return model_pb2.Model(
        ref=model_pb2.ModelRef(
            name="objects", version="1.0.0", digest="ab" * 32, threshold_set="precision-90-v1"
        ),
        feature="objects",
        task=model_pb2.TASK_DETECTION,
        summary="Finds 80 kinds of everyday objects.",
        labels=[
            model_pb2.LabelDescription(
                id="person", name="Person", present_from=0.25, absent_below=0.125
            ),
            model_pb2.LabelDescription(
                id="traffic_light", name="Traffic light", present_from=0.3, absent_below=0.3
            ),
            model_pb2.LabelDescription(id="toaster", name="Toaster", absent_below=0.25),
        ],
        threshold_sets=[precision_90()],
        license=model_pb2.License(
            id="AGPL-3.0-only", text="Whoever serves it publishes the source.", commercial_use=False
        ),
        metrics=[
            model_pb2.Metric(
                name="AP50",
                value=0.5234,
                low=0.4812,
                high=0.5649,
                dataset="coco",
                split="test",
                count=800,
            ),
            model_pb2.Metric(name="AP50", value=0.77, dataset="coco", split="val", count=40),
        ],
        limits=["Small objects are missed."],
        max_side=480,
        runtime="onnxruntime",
    )
