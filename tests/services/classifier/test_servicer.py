"""ClassifierService: what a caller's options make of the model's scores."""

from collections.abc import Iterable

import pytest

from services.classifier.model import Attributes
from tests.fakes import FakeModel
from tests.harness import a_photo, model_app, running
from trilens.v1 import classifier_pb2 as pb
from trilens.v1 import classifier_pb2_grpc as rpc
from trilens.v1 import decision_pb2


async def classify(model: FakeModel | None = None, **options: object) -> pb.ClassifyImageResponse:
    """The answer of a model that saw one face: smiling 0.9, sunglasses 0.1."""
    async with running(model_app(model or FakeModel("classification"))) as channel:
        request = pb.ClassifyImageRequest(
            image=a_photo(), options=pb.ClassificationOptions(**options)
        )
        return await rpc.ClassifierServiceStub(channel).ClassifyImage(request, timeout=10)


def decided(labels: Iterable[pb.LabelScore]) -> dict[str, str]:
    return {
        one.label: decision_pb2.Decision.Name(one.decision).removeprefix("DECISION_").lower()
        for one in labels
    }


async def test_every_label_comes_with_score_threshold_and_decision_best_first() -> None:
    result = (await classify()).classification

    smiling, sunglasses = result.labels
    assert smiling.score == pytest.approx(0.9)
    assert (smiling.present_from, sunglasses.present_from) == (0.5, 0.5)
    assert decided(result.labels) == {"smiling": "present", "sunglasses": "absent"}
    (face,) = result.faces
    assert face.confidence == pytest.approx(0.99)
    assert list(face.labels) == list(result.labels)
    assert 0 <= face.box.x_min < face.box.x_max <= 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"score_threshold": 0}, {"smiling": "present", "sunglasses": "present"}),
        ({"score_threshold": 1}, {"smiling": "absent", "sunglasses": "absent"}),
        (
            {"score_threshold": 1, "label_thresholds": {"smiling": 0.25}},
            {"smiling": "present", "sunglasses": "absent"},
        ),
        ({"threshold_set": "strict-v1"}, {"smiling": "present", "sunglasses": "absent"}),
        ({"threshold_set": "careful-v1"}, {"smiling": "uncertain", "sunglasses": "absent"}),
        ({"threshold_set": "mute-v1"}, {"smiling": "uncertain", "sunglasses": "absent"}),
        (
            {"threshold_set": "careful-v1", "score_threshold": 0.5},
            {"smiling": "present", "sunglasses": "absent"},
        ),
        ({"allow_labels": ["sunglasses"]}, {"sunglasses": "absent"}),
        ({"deny_labels": ["sunglasses"]}, {"smiling": "present"}),
        ({"allow_labels": ["smiling"], "deny_labels": ["smiling"]}, {}),
    ],
    ids=str,
)
async def test_options_decide_for_the_photo_and_its_faces_alike(
    options: dict[str, object], expected: dict[str, str]
) -> None:
    result = (await classify(**options)).classification

    assert decided(result.labels) == expected
    assert [decided(face.labels) for face in result.faces] == [expected]


async def test_a_label_says_what_its_decision_follows_from() -> None:
    careful = (await classify(threshold_set="careful-v1")).classification.labels
    mute = (await classify(threshold_set="mute-v1")).classification.labels

    for one in careful:
        assert (one.present_from, one.absent_below) == pytest.approx((0.95, 0.15))
    assert [one.likelihood for one in careful] == [
        decision_pb2.LIKELIHOOD_VERY_LIKELY,
        decision_pb2.LIKELIHOOD_UNLIKELY,
    ]
    assert not any(one.HasField("present_from") for one in mute)


@pytest.mark.parametrize(("most", "faces"), [(0, 0), (1, 1), (9, 1)])
async def test_fewer_faces_leave_the_labels_of_the_photo_as_they_are(most: int, faces: int) -> None:
    result = (await classify(max_faces=most)).classification

    assert len(result.faces) == faces
    assert decided(result.labels) == {"smiling": "present", "sunglasses": "absent"}


async def test_a_photo_without_faces_has_no_labels_either() -> None:
    model = FakeModel("classification")
    model._prediction = Attributes((), ())

    result = (await classify(model)).classification

    assert (len(result.faces), len(result.labels)) == (0, 0)
