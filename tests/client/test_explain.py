"""`trilens explain`: what it asks for, what it says, and what it draws."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from tests.client.fakes import FakeGateway, box, full_answer, serving, status
from trilens.cli import heat, main
from trilens.cli.reasons import cover, look
from trilens.cli.sheet import draw
from trilens.v1 import analysis_pb2, explanation_pb2

PHOTOS = Path(__file__).parents[1] / "photos"
CAT = PHOTOS / "cat.jpg"
OCCLUSION = explanation_pb2.EXPLANATION_METHOD_OCCLUSION
ATTENTION = explanation_pb2.EXPLANATION_METHOD_ATTENTION
# What speaks for a smile lies lower left, what speaks against it upper right.
SMILE = (0, 0, -0.5, 0, 0, 0, 1, 0, 0)
LOOK = (0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 1)


def heatmap(values: Sequence[float], strongest: float, **about: object) -> explanation_pb2.Heatmap:
    return explanation_pb2.Heatmap(
        rows=3,
        columns=3,
        values=values,
        strongest=strongest,
        **{"box": box(0, 0, 1, 1), **about},
    )


def explained_answer(content: bytes = b"") -> analysis_pb2.AnalyzeImageResponse:
    """The face's smile and the words of "a woman smiles", each with a map."""
    answer = full_answer(content)
    del answer.outcomes["objects"]
    smile = heatmap(SMILE, 2.0, label="smiling", box=box(0.25, 0, 0.75, 0.5))
    faces = explanation_pb2.Explanation(method=OCCLUSION, heatmaps=[smile])
    answer.outcomes["attributes"].classification.explanation.CopyFrom(faces)
    words = [heatmap(LOOK, 1 / 2.6, word=word) for word in ("a", "woman", "smiles")]
    answer.outcomes["captions"].caption.explanation.CopyFrom(
        explanation_pb2.Explanation(method=ATTENTION, heatmaps=words)
    )
    return answer


def cut_short(content: bytes = b"") -> analysis_pb2.AnalyzeImageResponse:
    """The same, but there was no time for the face."""
    answer = explained_answer(content)
    explanation = answer.outcomes["attributes"].classification.explanation
    del explanation.heatmaps[:]
    explanation.status.CopyFrom(
        status("DEADLINE_EXCEEDED", "the deadline left no time", "DEADLINE_EXCEEDED")
    )
    return answer


@pytest.fixture
def gateway():
    made = FakeGateway(lambda request: explained_answer(request.image.content))
    methods = {"attributes": OCCLUSION, "captions": ATTENTION}
    for one in made.capabilities.features:
        one.model.explanation_method = methods.get(one.feature, 0)
    return made


@pytest.fixture
def trilens(gateway, monkeypatch, capsys):
    """Runs `trilens explain` against the server: exit code, stdout, stderr."""
    with serving(gateway) as server:
        monkeypatch.setenv("TRILENS_SERVER", server)
        monkeypatch.delenv("COLUMNS", raising=False)

        def run(*arguments: object):
            monkeypatch.setattr(sys, "argv", ["trilens", "explain", *map(str, arguments)])
            code = main()
            return code, *capsys.readouterr()

        yield run


def test_every_feature_that_explains_is_asked_to_and_no_other(trilens, gateway):
    code, _, _ = trilens(CAT, "--faces", 2)

    attributes, captions = sorted(gateway.requests[0].features, key=lambda one: one.feature)
    assert code == 0
    assert (attributes.feature, captions.feature) == ("attributes", "captions")
    assert attributes.classification.explain.max_faces == 2
    assert captions.caption.explain


def test_a_label_is_explained_of_faces_alone_unless_captions_are_named_too(trilens, gateway):
    trilens(CAT, "--label", "smiling")
    trilens(CAT, "--label", "smiling", "--feature", "attributes", "--feature", "captions")

    (attributes,), both = (request.features for request in gateway.requests)
    assert list(attributes.classification.explain.labels) == ["smiling"]
    assert sorted(one.feature for one in both) == ["attributes", "captions"]


def test_a_label_of_captions_alone_is_a_wrong_command_line(trilens, gateway):
    code, _, err = trilens(CAT, "--label", "smiling", "--feature", "captions")

    assert (code, gateway.requests) == (2, [])
    assert "--label is of faces, which captions does not explain" in " ".join(err.split())


def test_only_the_features_named_are_asked_for(trilens, gateway):
    trilens(CAT, "--feature", "attributes")

    (asked,) = gateway.requests[0].features
    assert asked.feature == "attributes"
    assert not asked.classification.explain.HasField("max_faces")


def test_it_says_what_the_score_hangs_on_and_where_the_model_looked(trilens):
    _, out, _ = trilens(CAT)

    # 0.97 is a log odds of 3.48; 2.0 less is 0.81; the place is the middle of the lowest left cell
    assert "face 1: smiling 97 %, 81 % with the place at 150,125 covered" in out
    assert "looked at: a woman smiles (lower right)" in out


def test_json_holds_the_maps(trilens):
    _, out, _ = trilens(CAT, "--json")

    outcomes = json.loads(out)["response"]["outcomes"]
    (smile,) = outcomes["attributes"]["classification"]["explanation"]["heatmaps"]
    assert (smile["label"], smile["rows"], smile["strongest"]) == ("smiling", 3, 2.0)
    assert smile["values"] == list(SMILE)


def test_what_was_not_explained_is_said_and_makes_the_answer_partial(trilens, gateway):
    gateway.answer = lambda request: cut_short(request.image.content)

    code, out, _ = trilens(CAT)

    assert code == 1
    assert "smiling 97 %" in out
    assert "not all is explained: the deadline left no time" in out


def test_a_models_description_says_how_it_explains(gateway, monkeypatch, capsys):
    with serving(gateway) as server:
        monkeypatch.setattr(sys, "argv", ["trilens", "models", "show", "attributes"])
        monkeypatch.setenv("TRILENS_SERVER", server)

        code = main()

    assert code == 0
    assert "by covering each place in turn: trilens explain" in capsys.readouterr().out


def test_a_feature_that_explains_nothing_is_a_wrong_command_line(trilens, gateway):
    code, _, err = trilens(CAT, "--feature", "objects")

    assert (code, gateway.requests) == (2, [])
    assert "objects explains nothing here" in err


def test_a_server_that_explains_nothing_is_a_failure(trilens, gateway):
    for one in gateway.capabilities.features:
        one.model.explanation_method = 0

    code, _, err = trilens(CAT)

    assert (code, gateway.requests) == (3, [])
    assert "no feature of this server explains its answers" in err


def test_a_model_that_is_not_ready_may_explain_later(trilens, gateway):
    for one in gateway.capabilities.features:
        one.ClearField("model")

    code, _, err = trilens(CAT, "--feature", "captions")

    assert (code, gateway.requests) == (3, [])
    assert "captions is not ready" in err


@pytest.mark.parametrize("answer", [explained_answer, cut_short], ids=["full", "cut short"])
def test_a_picture_is_made_of_whatever_was_explained(trilens, gateway, tmp_path, answer):
    gateway.answer = lambda request: answer(request.image.content)

    trilens(CAT, "--save", tmp_path / "why.png")

    with Image.open(tmp_path / "why.png") as picture:
        assert picture.width == 960
        assert picture.height > 150


def test_a_photo_without_faces_and_words_still_makes_a_picture():
    picture = draw(CAT, analysis_pb2.AnalyzeImageResponse())

    assert picture.width == 960


def test_what_speaks_for_a_label_is_orange_what_speaks_against_it_blue_the_rest_grey():
    laid = heat.of_label(Image.new("RGB", (90, 90), (90, 120, 90)), heatmap(SMILE, 2.0))

    red, green, blue = laid.getpixel((10, 80))
    assert red > green > blue
    red, green, blue = laid.getpixel((80, 10))
    assert blue > green > red
    red, green, blue = laid.getpixel((10, 10))
    assert red == green == blue


def test_a_weak_map_looks_weak():
    plain = Image.new("RGB", (90, 90), (90, 90, 90))

    strong, weak = (
        heat.of_label(plain, heatmap(SMILE, strongest)).getpixel((10, 80))[0]
        for strongest in (2.0, 0.1)
    )

    assert strong > 180
    assert weak < 110


def test_attention_spread_evenly_shows_nothing():
    plain = Image.new("RGB", (90, 90), (90, 90, 90))
    even = heatmap((1,) * 9, 1 / 9, word="a")

    assert heat.of_word(plain, even).getcolors() == [(8100, (90, 90, 90))]
    assert look(even).share == pytest.approx(look(even).even)


def test_only_the_part_that_a_map_covers_is_shown():
    photo = Image.new("RGB", (100, 80))
    photo.paste((255, 255, 255), (25, 0, 75, 40))

    shown = heat.part(photo, heatmap(SMILE, 1.0, box=box(0.25, 0, 0.75, 0.5)))

    assert shown.size == (50, 40)
    assert shown.getcolors() == [(2000, (255, 255, 255))]


def test_an_unlikely_label_hangs_on_what_speaks_against_it():
    classification = explained_answer().outcomes["attributes"].classification
    glasses = heatmap(SMILE, 2.0, label="eyeglasses", box=box(0.25, 0, 0.75, 0.5))

    found = cover(classification, glasses)  # a score of 0.02: log odds -3.89, of which 1 goes

    assert found.score == pytest.approx(0.02)
    assert found.covered == pytest.approx(0.0526, abs=1e-3)
    assert (found.across, found.down) == pytest.approx((0.667, 0.083), abs=1e-3)
