"""Requests that cannot be answered: every reason at once, by field, in a bounded error."""

import math
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

from tests.fakes import FakeModel
from tests.harness import PHOTOS, model_app, running
from tests.statuses import detail, reason, status_of, violations
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc
from trilens.v1 import detector_pb2, detector_pb2_grpc

PHOTO = (PHOTOS / "astronaut_small.png").read_bytes()
IMAGE = {"content": PHOTO}


async def refusal(front: rpc.ImageAnalysisServiceStub, **request: Any) -> Any:
    """The status that the call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await front.AnalyzeImage(pb.AnalyzeImageRequest(**request), timeout=5)
    assert ended.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return status_of(ended.value)


async def test_everything_wrong_is_said_at_once(front: rpc.ImageAnalysisServiceStub) -> None:
    status = await refusal(
        front,
        request_id="é",
        affinity_key="x" * 129,
        features=[
            {"feature": "smells"},
            {
                "feature": "objects",
                "detection": {
                    "score_threshold": math.nan,
                    "label_thresholds": {"dog": 1.5},
                },
            },
            {"feature": "objects"},
            {"feature": "attributes", "caption": {}},
            {
                "feature": "captions",
                "caption": {"max_candidates": 0, "min_mean_log_probability": 0.1},
            },
        ],
    )

    assert reason(status) == "INVALID_REQUEST"
    assert violations(status) == {
        "image": "no photo: set content",
        "request_id": "must be at most 128 printable ASCII characters",
        "affinity_key": "must be at most 128 printable ASCII characters",
        "features[0].feature": "no feature 'smells': there is attributes, captions, objects",
        "features[1].detection.score_threshold": "must be within [0, 1], not nan",
        "features[1].detection.label_thresholds[dog]": "must be within [0, 1], not 1.5",
        "features[2].feature": "objects is asked for twice",
        "features[3].caption": "attributes takes classification options",
        "features[4].caption.max_candidates": "must be at least 1",
        "features[4].caption.min_mean_log_probability": "must be at most 0, not 0.1",
    }


async def test_names_that_the_models_lack_are_said_at_once(
    front: rpc.ImageAnalysisServiceStub,
) -> None:
    status = await refusal(
        front,
        image=IMAGE,
        features=[
            {"feature": "attributes", "classification": {"allow_labels": ["bearded"]}},
            {"feature": "captions"},
            {
                "feature": "objects",
                "detection": {
                    "label_thresholds": {"unicorn": 0.5},
                    "allow_labels": ["unicorn", "dog"],
                    "deny_labels": ["dragon"],
                    "threshold_set": "wild",
                },
            },
        ],
    )

    assert reason(status) == "INVALID_REQUEST"
    assert violations(status) == {
        "features[0].classification.allow_labels": "the model has no label 'bearded'",
        "features[2].detection.label_thresholds": "the model has no label 'unicorn'",
        "features[2].detection.allow_labels": "the model has no label 'unicorn'",
        "features[2].detection.deny_labels": "the model has no label 'dragon'",
        "features[2].detection.threshold_set": "the model has no threshold set 'wild'",
    }


@pytest.mark.parametrize(
    ("image", "field", "why"),
    [
        ({}, "image", "INVALID_REQUEST"),
        ({"uri": "http://localhost/x.jpg"}, "image.uri", "INVALID_REQUEST"),
        ({"content": b""}, "image.content", "INVALID_IMAGE"),
        ({"content": b"no photo"}, "image.content", "INVALID_IMAGE"),
        ({"content": PHOTO[: len(PHOTO) // 2]}, "image.content", "INVALID_IMAGE"),
        (
            {"pixels": {"width": 2, "height": 2, "rgb": b"123"}},
            "image.pixels.rgb",
            "INVALID_IMAGE",
        ),
    ],
    ids=["none", "uri", "empty", "no photo", "half a photo", "too few pixels"],
)
async def test_a_photo_that_cannot_be_used_is_named(
    front: rpc.ImageAnalysisServiceStub, image: Any, field: str, why: str
) -> None:
    status = await refusal(front, image=image)

    assert list(violations(status)) == [field]
    assert reason(status) == why


async def test_one_byte_above_the_limit_gets_our_error_and_not_the_transports(
    front: rpc.ImageAnalysisServiceStub,
) -> None:
    capabilities = await front.GetCapabilities(pb.GetCapabilitiesRequest())
    limit = capabilities.limits.max_image_bytes

    status = await refusal(front, image={"content": bytes(limit + 1)})

    assert violations(status) == {
        "image.content": f"{limit + 1:,} bytes, more than the {limit:,} allowed"
    }


@pytest.mark.parametrize("letter", ["x", "é", "😀"])
async def test_an_error_stays_small_however_large_the_mistake(
    front: rpc.ImageAnalysisServiceStub, letter: str
) -> None:
    labels = [letter * 300 + str(number) for number in range(900)]

    status = await refusal(
        front,
        image=IMAGE,
        features=[{"feature": "objects", "detection": {"deny_labels": labels}}],
    )

    found = detail(status, error_details_pb2.BadRequest)
    assert found is not None
    assert found.field_violations[0].field == "features[0].detection.deny_labels"
    assert found.field_violations[-1].description.startswith("and ")
    assert reason(status) == "INVALID_REQUEST"


@pytest.mark.parametrize(
    ("request_fields", "fields"),
    [
        ({"image": {}}, {"image"}),
        ({"image": {"uri": "file:///etc/passwd"}}, {"image.uri"}),
        (
            {"image": IMAGE, "options": {"score_threshold": -1, "threshold_set": "wild"}},
            {"options.score_threshold", "options.threshold_set"},
        ),
    ],
    ids=["no photo", "uri", "options"],
)
async def test_a_service_alone_refuses_alike(
    request_fields: dict[str, Any], fields: set[str]
) -> None:
    model = FakeModel("detection")
    async with running(model_app(model)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await detector_pb2_grpc.DetectorServiceStub(channel).DetectObjects(
                detector_pb2.DetectObjectsRequest(**request_fields), timeout=5
            )

    assert violations(status_of(ended.value)).keys() == fields
    assert model.seen == []
