"""Explanations, from a caller's options to the answer: asked for by feature, never in its way."""

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from tests.fakes import FEATURES, FakeExplainer, FakeModel
from tests.harness import PHOTOS, gateway_app, model_app, running
from tests.statuses import reason, status_of, violations
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc
from trilens.v1 import explanation_pb2

PHOTO = (PHOTOS / "astronaut_small.png").read_bytes()
SMILING, SUNGLASSES = (0, "smiling"), (0, "sunglasses")


async def analyze(front: Any, feature: str, timeout: float = 10, **options: Any) -> Any:
    """The outcome of one feature asked for with those options."""
    features = [{"feature": feature, **options}]
    request = pb.AnalyzeImageRequest(image={"content": PHOTO}, features=features)
    return (await front.AnalyzeImage(request, timeout=timeout)).outcomes[feature]


def subjects(explanation: explanation_pb2.Explanation) -> list[tuple[int, str]]:
    return [(one.face, one.label or one.word) for one in explanation.heatmaps]


async def test_capabilities_tell_what_explains_and_how(front: rpc.ImageAnalysisServiceStub) -> None:
    told = await front.GetCapabilities(pb.GetCapabilitiesRequest(), timeout=5)

    methods = {one.feature: one.model.explanation_method for one in told.features}
    assert methods["attributes"] == explanation_pb2.EXPLANATION_METHOD_OCCLUSION
    assert methods["captions"] != explanation_pb2.EXPLANATION_METHOD_UNSPECIFIED
    assert methods["objects"] == explanation_pb2.EXPLANATION_METHOD_UNSPECIFIED


@pytest.mark.parametrize(
    ("options", "explained"),
    [
        ({"explain": {}}, [SMILING, SUNGLASSES]),
        ({"explain": {"max_faces": 1}}, [SMILING, SUNGLASSES]),
        ({"explain": {"labels": ["sunglasses"]}}, [SUNGLASSES]),
        ({"explain": {}, "deny_labels": ["smiling"]}, [SUNGLASSES]),
        ({"explain": {"labels": ["smiling"]}, "deny_labels": ["smiling"]}, []),
        ({"explain": {}, "max_faces": 0}, []),
    ],
    ids=str,
)
async def test_what_is_explained_is_what_was_asked_for_and_answered(
    front: rpc.ImageAnalysisServiceStub, options: dict[str, Any], explained: list[tuple[int, str]]
) -> None:
    outcome = await analyze(front, "attributes", classification=options)

    explanation = outcome.classification.explanation
    assert explanation.status.code == 0
    assert subjects(explanation) == explained
    assert explanation.seconds > 0


async def test_a_caption_is_explained_word_by_word(front: rpc.ImageAnalysisServiceStub) -> None:
    outcome = await analyze(front, "captions", caption={"explain": True, "max_candidates": 2})

    assert subjects(outcome.caption.explanation) == [(0, word) for word in ("A", "dog", "runs.")]


@pytest.mark.parametrize(
    ("feature", "task", "explain"),
    [("attributes", "classification", {}), ("captions", "caption", True)],
)
async def test_the_answer_is_the_same_with_and_without(
    front: rpc.ImageAnalysisServiceStub, feature: str, task: str, explain: object
) -> None:
    plain = getattr(await analyze(front, feature), task)
    explained = getattr(await analyze(front, feature, **{task: {"explain": explain}}), task)

    assert not plain.HasField("explanation")
    assert explained.HasField("explanation")
    explained.ClearField("explanation")
    assert explained == plain


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"max_faces": 0}, "explain.max_faces"),
        ({"max_faces": 17}, "explain.max_faces"),
        ({"labels": ["purring"]}, "explain.labels"),
        ({"labels": ["smiling"] * 1001}, "explain.labels"),
    ],
    ids=["none", "too many", "unknown", "too many labels"],
)
async def test_what_cannot_be_explained_is_named(
    front: rpc.ImageAnalysisServiceStub, options: dict[str, Any], path: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await analyze(front, "attributes", classification={"explain": options})

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violations(status_of(refusal.value)).keys() == {f"features[0].classification.{path}"}


@pytest.mark.parametrize("feature", ["attributes", "captions"])
async def test_a_model_that_explains_nothing_says_so(feature: str) -> None:
    task, explain = {"attributes": ("classification", {}), "captions": ("caption", True)}[feature]
    models = {one: FakeModel(one) for one in FEATURES}
    async with running(gateway_app(models)) as channel:
        front = rpc.ImageAnalysisServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await analyze(front, feature, **{task: {"explain": explain}})

    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert violations(status_of(refusal.value)).keys() == {f"features[0].{task}.explain"}


async def test_an_operator_may_switch_explanations_off() -> None:
    model = FakeModel("classification", explainer=FakeExplainer())
    app = model_app(model, explain_seconds=0)
    async with running(app):
        assert app.model().explanation_method == explanation_pb2.EXPLANATION_METHOD_UNSPECIFIED


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


async def test_an_answer_is_not_lost_for_its_explanation(gate: threading.Event) -> None:
    model = FakeModel("classification", explainer=FakeExplainer(gate=gate))
    async with running(gateway_app({"classification": model})) as channel:
        front = rpc.ImageAnalysisServiceStub(channel)
        outcome = await analyze(front, "attributes", 3, classification={"explain": {}})

    assert outcome.state == pb.STATE_OK
    assert len(outcome.classification.faces) == 1
    assert reason(outcome.classification.explanation.status) == "DEADLINE_EXCEEDED"
