"""DetectorService: what a caller's options make of the model's boxes."""

import pytest

from tests.fakes import SOMEWHERE, FakeModel
from tests.harness import a_photo, model_app, running
from trilens.v1 import decision_pb2
from trilens.v1 import detector_pb2 as pb
from trilens.v1 import detector_pb2_grpc as rpc


async def detect(**options: object) -> pb.DetectObjectsResponse:
    """The answer of a model that saw a dog, 0.9, and a cat, 0.2; thresholds are 0.5, or 0.8."""
    async with running(model_app(FakeModel("detection"))) as channel:
        request = pb.DetectObjectsRequest(image=a_photo(), options=pb.DetectionOptions(**options))
        return await rpc.DetectorServiceStub(channel).DetectObjects(request, timeout=10)


def labels(response: pb.DetectObjectsResponse) -> list[str]:
    return [one.label for one in response.detection.objects]


def decision(found: pb.DetectedObject) -> str:
    return decision_pb2.Decision.Name(found.decision).removeprefix("DECISION_")


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


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, []),
        ({"include_uncertain": True}, [("dog", "UNCERTAIN"), ("cat", "UNCERTAIN")]),
        ({"include_uncertain": True, "max_objects": 1}, [("dog", "UNCERTAIN")]),
        (
            {"include_uncertain": True, "label_thresholds": {"cat": 0.1}, "max_objects": 2},
            [("cat", "PRESENT"), ("dog", "UNCERTAIN")],
        ),
        (
            {"include_uncertain": True, "label_thresholds": {"cat": 0.1}, "max_objects": 1},
            [("cat", "PRESENT")],
        ),
        ({"include_uncertain": True, "score_threshold": 0.5}, [("dog", "PRESENT")]),
        ({"include_uncertain": True, "deny_labels": ["dog"]}, [("cat", "UNCERTAIN")]),
    ],
    ids=str,
)
async def test_uncertain_objects_come_if_asked_for_and_after_the_sure_ones(
    options: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    response = await detect(threshold_set="careful-v1", **options)

    assert [(one.label, decision(one)) for one in response.detection.objects] == expected


async def test_an_object_says_what_its_decision_follows_from() -> None:
    response = await detect(threshold_set="careful-v1", include_uncertain=True)

    dog, cat = response.detection.objects
    for one in (dog, cat):
        assert (one.present_from, one.absent_below) == pytest.approx((0.95, 0.15))
    assert dog.likelihood == decision_pb2.LIKELIHOOD_VERY_LIKELY
    assert cat.likelihood == decision_pb2.LIKELIHOOD_UNLIKELY


async def test_a_label_that_the_set_never_gives_comes_to_those_who_ask_for_it() -> None:
    assert labels(await detect(threshold_set="mute-v1")) == []
    assert labels(await detect(threshold_set="mute-v1", score_threshold=0.5)) == ["dog"]
    asked = await detect(threshold_set="mute-v1", include_uncertain=True)

    assert labels(asked) == ["dog", "cat"]
    assert not any(one.HasField("present_from") for one in asked.detection.objects)
