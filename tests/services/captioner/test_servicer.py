"""CaptionerService: what a caller's options make of the model's sentences."""

import math

import pytest

from services.captioner.model import Candidate, Captions
from tests.fakes import FakeModel
from tests.harness import a_photo, model_app, running
from trilens.v1 import captioner_pb2 as pb
from trilens.v1 import captioner_pb2_grpc as rpc

DOG, CAT = "A dog runs.", "A cat sits."


async def caption(model: FakeModel | None = None, **options: object) -> pb.Caption:
    """The answer of a model that wrote two sentences of four tokens: ln p is -2 and -3."""
    async with running(model_app(model or FakeModel("caption"))) as channel:
        request = pb.CaptionImageRequest(image=a_photo(), options=pb.CaptionOptions(**options))
        stub = rpc.CaptionerServiceStub(channel)
        return (await stub.CaptionImage(request, timeout=10)).caption


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [DOG]),
        ({"max_candidates": 1}, [DOG]),
        ({"max_candidates": 2}, [DOG, CAT]),
        ({"max_candidates": 9}, [DOG, CAT]),
        ({"max_candidates": 2, "min_mean_log_probability": -0.5}, [DOG]),
        ({"max_candidates": 2, "min_mean_log_probability": -0.75}, [DOG, CAT]),
        ({"min_mean_log_probability": -math.inf}, [DOG]),
        ({"min_mean_log_probability": 0}, []),
    ],
    ids=str,
)
async def test_options_choose_among_the_sentences(
    options: dict[str, object], expected: list[str]
) -> None:
    found = await caption(**options)

    assert [one.text for one in found.candidates] == expected
    assert found.text == (expected[0] if expected else "")


async def test_a_sentence_comes_with_its_probability_and_length() -> None:
    (best,) = (await caption()).candidates

    assert (best.text, best.log_probability, best.tokens) == (DOG, -2.0, 4)


async def test_a_calibrated_sentence_comes_with_its_confidence() -> None:
    model = FakeModel("caption")
    model._prediction = Captions((Candidate(DOG, -2.0, 4, 0.25), Candidate(CAT, -3.0, 4, None)))

    sure, unknown = (await caption(model, max_candidates=2)).candidates

    assert sure.confidence == 0.25
    assert not unknown.HasField("confidence")


async def test_a_model_without_words_answers_with_none() -> None:
    model = FakeModel("caption")
    model._prediction = Captions(())

    found = await caption(model)

    assert found.text == ""
    assert not found.candidates
