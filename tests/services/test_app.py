"""Each service alone, over a real channel: what all three have in common."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2

from chassis.images import ImageLimits, decode
from tests.fakes import FEATURES, SHA256, THRESHOLD_SETS, FakeModel
from tests.harness import PHOTOS, model_app, running
from tests.statuses import detail, reason, status_of, violations
from trilens.v1 import captioner_pb2 as captioner
from trilens.v1 import (
    captioner_pb2_grpc,
    classifier_pb2_grpc,
    detector_pb2_grpc,
    image_pb2,
    model_pb2,
    model_pb2_grpc,
)
from trilens.v1 import classifier_pb2 as classifier
from trilens.v1 import detector_pb2 as detector

CAT = (PHOTOS / "cat.jpg").read_bytes()


@dataclass(frozen=True)
class Service:
    """One of the three, as its own client sees it."""

    task: str
    stub: Any
    method: str
    request: Any
    result: str
    wrong_options: Any

    async def ask(self, channel: grpc.aio.Channel, **request: Any) -> Any:
        method = getattr(self.stub(channel), self.method)
        request.setdefault("image", image_pb2.Image(content=CAT))
        return await method(self.request(**request), timeout=10)


SERVICES = (
    Service(
        "classification",
        classifier_pb2_grpc.ClassifierServiceStub,
        "ClassifyImage",
        classifier.ClassifyImageRequest,
        "classification",
        classifier.ClassificationOptions(score_threshold=2, allow_labels=["cow"]),
    ),
    Service(
        "caption",
        captioner_pb2_grpc.CaptionerServiceStub,
        "CaptionImage",
        captioner.CaptionImageRequest,
        "caption",
        captioner.CaptionOptions(max_candidates=0, min_mean_log_probability=1),
    ),
    Service(
        "detection",
        detector_pb2_grpc.DetectorServiceStub,
        "DetectObjects",
        detector.DetectObjectsRequest,
        "detection",
        detector.DetectionOptions(score_threshold=2, allow_labels=["cow"]),
    ),
)


@pytest.fixture(params=SERVICES, ids=lambda service: service.task)
def service(request: pytest.FixtureRequest) -> Service:
    return request.param


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


@asynccontextmanager
async def alone(model: FakeModel, **settings: Any) -> AsyncIterator[grpc.aio.Channel]:
    async with running(model_app(model, slots=1, **settings)) as channel:
        yield channel


async def refused(asked: Any) -> Any:
    """The status that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await asked
    return status_of(refusal.value)


def raw() -> image_pb2.Image:
    """The cat as a gateway sends it."""
    array = decode(CAT, 64, ImageLimits()).pixels.array
    height, width, _ = array.shape
    return image_pb2.Image(
        pixels=image_pb2.PixelBuffer(width=width, height=height, rgb=array.tobytes())
    )


async def test_an_answer_names_its_model_and_where_the_time_went(service: Service) -> None:
    async with alone(FakeModel(service.task)) as channel:
        response = await service.ask(channel)

    assert response.HasField(service.result)
    model = response.model
    assert (model.name, model.version) == (FEATURES[service.task], "1.2.3")
    assert model.digest == SHA256
    assert model.threshold_set == ("" if service.task == "caption" else "default-v1")
    assert response.timings.batch_size == 1
    assert response.timings.queue_seconds >= 0
    assert response.timings.infer_seconds > 0


async def test_encoded_photos_and_raw_pixels_reach_the_model_alike(service: Service) -> None:
    model = FakeModel(service.task)
    async with alone(model) as channel:
        encoded = await service.ask(channel)
        pixels = await service.ask(channel, image=raw())

    one, other = model.seen
    assert max(one.width, one.height) == model.max_side
    assert np.array_equal(one.array, other.array)
    assert getattr(encoded, service.result) == getattr(pixels, service.result)


@pytest.mark.parametrize(
    ("image", "field"),
    [
        (image_pb2.Image(), "image"),
        (image_pb2.Image(content=CAT[:2000]), "image.content"),
        (image_pb2.Image(uri="file:///etc/passwd"), "image.uri"),
        (image_pb2.Image(pixels=image_pb2.PixelBuffer(width=9, height=9)), "image.pixels.rgb"),
    ],
    ids=["none", "truncated", "uri", "raw"],
)
async def test_what_is_no_photo_is_refused_before_the_model(
    image: image_pb2.Image, field: str, service: Service
) -> None:
    model = FakeModel(service.task)
    async with alone(model) as channel:
        status = await refused(service.ask(channel, image=image))

    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert list(violations(status)) == [field]
    assert model.seen == []


async def test_wrong_options_are_all_told_before_a_photo_costs_anything(service: Service) -> None:
    model = FakeModel(service.task)
    broken = image_pb2.Image(content=b"this would be told if it were looked at")
    async with alone(model) as channel:
        status = await refused(service.ask(channel, image=broken, options=service.wrong_options))

    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    found = violations(status)
    assert len(found) == 2
    assert all(field.startswith("options.") for field in found)
    assert model.seen == []


async def test_a_broken_model_tells_callers_nothing_and_the_log_everything(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    model = FakeModel(service.task, broken=RuntimeError("weights at /mnt/x"))
    async with alone(model) as channel:
        status = await refused(service.ask(channel))

    assert status.code == grpc.StatusCode.INTERNAL.value[0]
    assert reason(status) == "MODEL_FAILED"
    assert status.message == "the model could not predict this photo"
    assert "weights at /mnt/x" in caplog.text


async def test_a_full_queue_is_told_at_once_with_a_time_to_come_back(
    service: Service, gate: threading.Event
) -> None:
    model = FakeModel(service.task, gate=gate)
    async with alone(model, max_waiting=1) as channel:
        calls = [asyncio.create_task(service.ask(channel))]
        assert await asyncio.to_thread(model.began.wait, 10)
        calls += [asyncio.create_task(service.ask(channel)) for _ in range(2)]
        first, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)

        status = await refused(first.pop())

        assert status.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        retry = detail(status, error_details_pb2.RetryInfo)
        assert retry is not None
        assert retry.retry_delay.ToTimedelta().total_seconds() > 0
        gate.set()
        ends = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(end, grpc.aio.AioRpcError) for end in ends) == 1


async def test_a_caller_out_of_time_is_told_so(service: Service, gate: threading.Event) -> None:
    async with alone(FakeModel(service.task, gate=gate)) as channel:
        stub = getattr(service.stub(channel), service.method)
        request = service.request(image=image_pb2.Image(content=CAT))
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub(request, timeout=0.3)

    assert refusal.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_the_model_describes_itself(service: Service) -> None:
    model = FakeModel(service.task)
    async with alone(model) as channel:
        stub = model_pb2_grpc.ModelServiceStub(channel)
        told = (await stub.GetModel(model_pb2.GetModelRequest(), timeout=5)).model

    manifest = model.package.manifest
    assert told.feature == FEATURES[service.task]
    assert model_pb2.Task.Name(told.task) == f"TASK_{service.task.upper()}"
    assert [(one.id, one.present_from) for one in told.labels] == [
        (label.id, 0.5) for label in manifest.labels
    ]
    assert told.max_side == model.max_side
    assert told.runtime == "onnxruntime"
    assert told.license.id == "CC0-1.0"
    assert [one.id for one in told.threshold_sets] == (
        [] if service.task == "caption" else sorted(THRESHOLD_SETS)
    )
