"""DetectorService: what a caller's options make of the model's boxes."""

import pytest

from tests.fakes import SOMEWHERE, FakeModel
from tests.harness import a_photo, model_app, running
from trilens.v1 import detector_pb2 as pb
from trilens.v1 import detector_pb2_grpc as rpc


async def detect(**options: object) -> pb.DetectObjectsResponse:
    """The answer of a model that saw a dog, 0.9, and a cat, 0.2; thresholds are 0.5, or 0.8."""
    async with running(model_app(FakeModel("detection"))) as channel:
        request = pb.DetectObjectsRequest(image=a_photo(), options=pb.DetectionOptions(**options))
        return await rpc.DetectorServiceStub(channel).DetectObjects(request, timeout=10)


def labels(response: pb.DetectObjectsResponse) -> list[str]:
    return [one.label for one in response.detection.objects]


async def test_an_object_comes_with_its_score_threshold_and_box() -> None:
    (dog,) = (await detect()).detection.objects

    assert (dog.label, dog.present_from) == ("dog", 0.5)
    assert dog.score == pytest.approx(0.9)
    assert (dog.box.x_min, dog.box.y_min, dog.box.x_max, dog.box.y_max) == pytest.approx(
        (SOMEWHERE.x_min, SOMEWHERE.y_min, SOMEWHERE.x_max, SOMEWHERE.y_max)
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["dog"]),
        ({"score_threshold": 0}, ["dog", "cat"]),
        ({"score_threshold": 1}, []),
        ({"label_thresholds": {"cat": 0.125}}, ["dog", "cat"]),
        ({"label_thresholds": {"dog": 0.95}}, []),
        ({"score_threshold": 0, "label_thresholds": {"cat": 0.5}}, ["dog"]),
        ({"score_threshold": 0, "allow_labels": ["cat"]}, ["cat"]),
        ({"score_threshold": 0, "deny_labels": ["dog"]}, ["cat"]),
        ({"score_threshold": 0, "allow_labels": ["cat"], "deny_labels": ["cat"]}, []),
        ({"score_threshold": 0, "max_objects": 1}, ["dog"]),
        ({"score_threshold": 0, "max_objects": 0}, []),
        ({"max_objects": 300}, ["dog"]),
    ],
    ids=str,
)
async def test_options_choose_among_the_boxes(
    options: dict[str, object], expected: list[str]
) -> None:
    assert labels(await detect(**options)) == expected


async def test_a_threshold_set_is_used_and_named() -> None:
    response = await detect(threshold_set="strict-v1")

    assert labels(response) == ["dog"]
    assert response.detection.objects[0].present_from == pytest.approx(0.8)
    assert response.model.threshold_set == "strict-v1"
