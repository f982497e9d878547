"""What callers choose per feature, from their request to the answer."""

from typing import Any

import pytest

from tests.harness import PHOTOS
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc
from trilens.v1 import decision_pb2

PHOTO = (PHOTOS / "astronaut_small.png").read_bytes()


async def analyze(front: rpc.ImageAnalysisServiceStub, feature: str, **options: Any) -> Any:
    """The result of one feature asked for with those options."""
    response = await front.AnalyzeImage(
        pb.AnalyzeImageRequest(
            image={"content": PHOTO}, features=[{"feature": feature, **options}]
        ),
        timeout=5,
    )
    outcome = response.outcomes[feature]
    assert outcome.state == pb.STATE_OK
    return getattr(outcome, outcome.WhichOneof("result"))


# The model gives a dog with 0.9 and a cat with 0.2; its own threshold is 0.5, its strict one 0.8.
@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, [("dog", 0.5)]),
        ({"score_threshold": 0.0}, [("dog", 0.0), ("cat", 0.0)]),
        ({"score_threshold": 1.0}, []),
        ({"label_thresholds": {"cat": 0.1}}, [("dog", 0.5), ("cat", 0.1)]),
        ({"score_threshold": 0.95, "label_thresholds": {"cat": 0.0}}, [("cat", 0.0)]),
        ({"score_threshold": 0.0, "allow_labels": ["cat"]}, [("cat", 0.0)]),
        ({"score_threshold": 0.0, "deny_labels": ["dog"]}, [("cat", 0.0)]),
        ({"allow_labels": ["dog"], "deny_labels": ["dog"]}, []),
        ({"score_threshold": 0.0, "max_objects": 1}, [("dog", 0.0)]),
        ({"max_objects": 0}, []),
        ({"threshold_set": "strict-v1"}, [("dog", 0.8)]),
        ({"threshold_set": "strict-v1", "score_threshold": 0.0}, [("dog", 0.0), ("cat", 0.0)]),
        ({"threshold_set": "careful-v1"}, []),
        (
            {"threshold_set": "careful-v1", "include_uncertain": True},
            [("dog", 0.95), ("cat", 0.95)],
        ),
    ],
    ids=str,
)
async def test_objects(
    front: rpc.ImageAnalysisServiceStub, options: dict[str, Any], found: list[tuple[str, float]]
) -> None:
    detection = await analyze(front, "objects", detection=options)

    assert [(one.label, pytest.approx(one.present_from)) for one in detection.objects] == found


# The model gives smiling 0.9 and sunglasses 0.1 for its one face.
async def test_attributes_between_the_edges_are_uncertain(
    front: rpc.ImageAnalysisServiceStub,
) -> None:
    classification = await analyze(
        front, "attributes", classification={"threshold_set": "careful-v1"}
    )

    decisions = {one.label: one.decision for one in classification.faces[0].labels}
    assert decisions == {
        "smiling": decision_pb2.DECISION_UNCERTAIN,
        "sunglasses": decision_pb2.DECISION_ABSENT,
    }


@pytest.mark.parametrize(
    ("options", "present", "absent"),
    [
        ({}, ["smiling"], ["sunglasses"]),
        ({"score_threshold": 0.0}, ["smiling", "sunglasses"], []),
        ({"score_threshold": 1.0}, [], ["smiling", "sunglasses"]),
        ({"label_thresholds": {"sunglasses": 0.05}}, ["smiling", "sunglasses"], []),
        ({"allow_labels": ["sunglasses"]}, [], ["sunglasses"]),
        ({"deny_labels": ["sunglasses"]}, ["smiling"], []),
    ],
    ids=str,
)
async def test_attributes(
    front: rpc.ImageAnalysisServiceStub,
    options: dict[str, Any],
    present: list[str],
    absent: list[str],
) -> None:
    classification = await analyze(front, "attributes", classification=options)

    for labels in (classification.labels, classification.faces[0].labels):
        by_decision = {
            decision: [one.label for one in labels if one.decision == decision]
            for decision in (decision_pb2.DECISION_PRESENT, decision_pb2.DECISION_ABSENT)
        }
        assert list(by_decision.values()) == [present, absent]


@pytest.mark.parametrize(("options", "faces"), [({}, 1), ({"max_faces": 0}, 0)], ids=str)
async def test_labels_of_the_photo_do_not_need_the_faces(
    front: rpc.ImageAnalysisServiceStub, options: dict[str, Any], faces: int
) -> None:
    classification = await analyze(front, "attributes", classification=options)

    assert len(classification.faces) == faces
    assert [one.label for one in classification.labels] == ["smiling", "sunglasses"]


# The model writes two sentences, with -0.5 and -0.75 a token.
@pytest.mark.parametrize(
    ("options", "texts"),
    [
        ({}, ["A dog runs."]),
        ({"max_candidates": 2}, ["A dog runs.", "A cat sits."]),
        ({"max_candidates": 9}, ["A dog runs.", "A cat sits."]),
        ({"max_candidates": 2, "min_mean_log_probability": -0.6}, ["A dog runs."]),
        ({"min_mean_log_probability": 0.0}, []),
    ],
    ids=str,
)
async def test_captions(
    front: rpc.ImageAnalysisServiceStub, options: dict[str, Any], texts: list[str]
) -> None:
    caption = await analyze(front, "captions", caption=options)

    assert [one.text for one in caption.candidates] == texts
    assert caption.text == (texts[0] if texts else "")
