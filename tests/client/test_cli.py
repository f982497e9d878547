"""The `trilens` command, as a person and as a script meet it."""

import io
import json
import sys
from pathlib import Path

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2
from PIL import Image

from tests.client.fakes import (
    FakeGateway,
    FakeModelService,
    Refusal,
    box,
    found,
    full_answer,
    ok,
    partial_answer,
    serving,
    unsure,
)
from trilens.cli import main
from trilens.cli.report import percent
from trilens.v1 import analysis_pb2, decision_pb2, detector_pb2

PHOTOS = Path(__file__).parents[1] / "photos"
CAT = str(PHOTOS / "cat.jpg")


@pytest.fixture
def gateway():
    return FakeGateway()


@pytest.fixture
def server(gateway):
    with serving(gateway) as server:
        yield server


@pytest.fixture
def trilens(server, monkeypatch, capsys):
    """Runs the command against the server: exit code, stdout, stderr."""
    monkeypatch.setenv("TRILENS_SERVER", server)
    monkeypatch.delenv("COLUMNS", raising=False)  # the width of some terminal is not this test's

    def run(*arguments: object, stdin: bytes = b""):
        monkeypatch.setattr(sys, "argv", ["trilens", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main()
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def refuse_text(request):
    """Answers photos, refuses anything that is none."""
    content = request.image.content
    if content.startswith(b"text"):
        bad_request = error_details_pb2.BadRequest()
        bad_request.field_violations.add(field="image.content", description="not a photo")
        raise Refusal(
            grpc.StatusCode.INVALID_ARGUMENT,
            "image.content: not a photo",
            "INVALID_IMAGE",
            [bad_request],
        )
    return full_answer(content)


def test_an_answer_is_readable(trilens):
    code, out, err = trilens("analyze", CAT)

    assert code == 0
    assert err == ""
    heading, *rows = out.splitlines()
    assert heading.startswith(f"{CAT}  451 x 300 jpeg")
    assert "face 1 (99 %): smiling 97 %, not eyeglasses 2 %" in rows[0]
    assert "a woman smiles" in rows[1]
    assert "person 93 %" in rows[2]
    assert all("1.0.0  41 ms + 2 ms queue" in row for row in rows[:3])


def test_a_captions_confidence_stands_beside_it(trilens, gateway):
    def answer(request):
        made = full_answer(request.image.content)
        caption = made.outcomes["captions"].caption
        caption.candidates.add(text=caption.text, confidence=0.42)
        caption.candidates.add(text="a man smiles", confidence=0.31)
        return made

    gateway.answer = answer

    _, out, _ = trilens("analyze", CAT)

    assert "a woman smiles  (42 % as people put it)" in out
    assert "31 %" not in out


def test_several_faces_are_told_apart_by_where_they_are(trilens, gateway):
    def answer(request):
        made = full_answer(request.image.content)
        faces = made.outcomes["attributes"].classification.faces
        faces.add(box=box(0.8, 0.4, 1.0, 0.6), confidence=0.9)
        return made

    gateway.answer = answer

    _, out, _ = trilens("analyze", CAT)

    assert "face 1 at 203,90 (99 %): smiling 97 %" in out
    assert "face 2 at 406,150 (90 %)" in out


@pytest.mark.parametrize(
    ("score", "shown"),
    [
        (0.0, "0 %"),
        (0.004, "<1 %"),
        (0.006, "1 %"),
        (0.5, "50 %"),
        (0.994, "99 %"),
        (0.9996, ">99 %"),
        (1.0, "100 %"),
    ],
)
def test_no_score_is_rounded_to_certainty(score, shown):
    assert percent(score) == shown


def test_many_objects_are_counted(trilens, gateway):
    def answer(request):
        made = full_answer(request.image.content)
        scores = [("person", 0.9), ("dog", 0.8), ("person", 0.5)]
        scores += [("cup", 0.4 - n / 100) for n in range(7)]
        objects = [found(label, score, 0, 0, 1, 1) for label, score in scores]
        detection = detector_pb2.Detection(objects=objects)
        made.outcomes["objects"].CopyFrom(ok("yolo", detection=detection))
        return made

    gateway.answer = answer

    _, out, _ = trilens("analyze", CAT)

    assert "2 x person (90 %, 50 %), dog 80 %, 7 x cup (40 % to 34 %)" in out
    assert "yolo 1.0.0" in out  # named, since the feature is called otherwise


def test_what_is_uncertain_is_told_from_what_is_there_and_what_is_not(trilens, gateway):
    def answer(request):
        made = full_answer(request.image.content)
        made.outcomes["attributes"].classification.faces[0].labels.append(unsure("sunglasses", 0.4))
        objects = [found("person", 0.9, 0, 0, 1, 1), found("person", 0.3, 0, 0, 1, 1)]
        objects[1].decision = decision_pb2.DECISION_UNCERTAIN
        made.outcomes["objects"].detection.CopyFrom(detector_pb2.Detection(objects=objects))
        return made

    gateway.answer = answer

    _, out, _ = trilens("analyze", CAT)

    assert "smiling 97 %, not eyeglasses 2 %, unsure: sunglasses 40 % (possible)" in out
    assert "person 90 %, unsure: person 30 %" in out


def test_objects_that_are_uncertain_are_asked_for_by_an_option(trilens, gateway):
    trilens("analyze", CAT, "--unsure")

    attributes, objects = gateway.requests[0].features
    assert objects.detection.include_uncertain
    assert attributes.WhichOneof("options") is None


def test_a_partial_answer_says_what_is_missing_and_why_and_exits_1(trilens, gateway):
    gateway.answer = lambda request: partial_answer(request.image.content)

    code, out, _ = trilens("analyze", CAT)

    assert code == 1
    assert "timed out: no answer within 1 s" in out
    assert "smiling 97 %" in out


def test_a_photo_without_an_answer_exits_3_and_costs_no_other(trilens, gateway, tmp_path):
    gateway.answer = refuse_text
    (tmp_path / "a.jpg").write_bytes(b"text")
    (tmp_path / "b.jpg").write_bytes(Path(CAT).read_bytes())

    code, out, _ = trilens("analyze", tmp_path)

    assert code == 3
    assert "image.content: not a photo" in out
    assert "a woman smiles" in out


def test_a_photo_that_failed_for_its_features_tells_of_each(trilens, gateway):
    def answer(request):
        raise Refusal(
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "captions: too late",
            "ANALYSIS_FAILED",
            [partial_answer()],
        )

    gateway.answer = answer

    code, out, _ = trilens("analyze", CAT)
    _, line, _ = trilens("analyze", "--json", CAT)

    assert code == 3
    assert "captions  timed out: no answer within 1 s" in out
    assert json.loads(line)["error"]["features"]["captions"] == {
        "state": "STATE_TIMED_OUT",
        "message": "no answer within 1 s",
    }


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nowhere.jpg"],
        ["x" * 300],
        ["--save", "x" * 300 + ".jpg", CAT],
        ["--threshold", "smiling=2", CAT],
        ["--threshold", "smiling=much", CAT],
        ["--threshold", "unheard_of=0.5", CAT],
        ["--jobs", "0", CAT],
        ["--timeout", "0", CAT],
        ["--timeout", "inf", CAT],
        ["--save", "out.txt", CAT],
        ["--save", CAT, CAT],
        ["--nonsense", CAT],
    ],
)
def test_a_command_line_that_cannot_be_used_exits_2_and_asks_nothing(trilens, gateway, arguments):
    code, out, err = trilens("analyze", *arguments)

    assert code == 2
    assert out == ""
    assert "Error" in err
    assert not gateway.requests


@pytest.mark.parametrize("command", [("analyze", PHOTOS), ("models", "list")])
def test_without_a_server_one_message_says_what_to_do(trilens, command):
    code, out, err = trilens(*command, "--server", "127.0.0.1:1")

    assert code == 3
    assert out == ""
    assert err == ("Error: no server at 127.0.0.1:1: start one with `make run` or set --server\n")


def test_an_unknown_feature_is_explained_by_the_server(trilens, gateway):
    def answer(request):
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "features[0]: no feature 'colours'", "X")

    gateway.answer = answer

    code, out, _ = trilens("analyze", "--feature", "colours", CAT)

    assert code == 3
    assert "no feature 'colours'" in out


def test_features_and_thresholds_reach_the_server(trilens, gateway):
    code, _, _ = trilens(
        "analyze", CAT, "--feature", "objects", "--required", "attributes",
        "--threshold", "person=0", "--threshold", "0.4", "--threshold", "smiling=0.7",
    )  # fmt: skip

    assert code == 0
    objects, attributes = gateway.requests[0].features
    assert (objects.feature, objects.required) == ("objects", False)
    assert (attributes.feature, attributes.required) == ("attributes", True)
    assert dict(objects.detection.label_thresholds) == {"person": 0.0}
    assert objects.detection.score_threshold == pytest.approx(0.4)
    assert attributes.classification.label_thresholds["smiling"] == pytest.approx(0.7)
    assert attributes.classification.score_threshold == pytest.approx(0.4)


def test_a_threshold_asks_for_the_default_features(trilens, gateway):
    trilens("analyze", CAT, "--threshold", "person=0.4")

    asked = {feature.feature: feature for feature in gateway.requests[0].features}
    assert set(asked) == {"attributes", "objects"}
    assert asked["attributes"].WhichOneof("options") is None


def test_a_label_that_may_belong_to_a_model_not_ready_is_no_mistake_of_the_caller(trilens):
    code, _, err = trilens("analyze", CAT, "--required", "captions", "--threshold", "mood=0.5")

    assert code == 3
    assert err == "Error: cannot tell who has the label 'mood': captions is not ready\n"


def test_a_photo_comes_from_standard_input(trilens, gateway):
    code, out, _ = trilens("analyze", "-", stdin=Path(CAT).read_bytes())

    assert code == 0
    assert out.startswith("-  451 x 300 jpeg")


def test_json_is_one_object_per_photo_in_the_documented_shape(trilens, gateway, tmp_path):
    gateway.answer = refuse_text
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"text")

    code, out, err = trilens("analyze", "--json", CAT, bad, tmp_path / ".." / "absent.jpg", CAT)
    assert code == 2  # what does not exist is found before anything is sent

    code, out, err = trilens("analyze", "--json", CAT, bad)

    good, refused = map(json.loads, out.splitlines())
    assert code == 3
    assert err == ""
    assert list(good) == ["photo", "response"]
    assert good["photo"] == CAT
    response = good["response"]
    assert set(response) == {"outcomes", "completeness", "image", "requestId", "lane"}
    assert response["completeness"] == "COMPLETENESS_FULL"
    objects = response["outcomes"]["objects"]
    assert objects["state"] == "STATE_OK"
    assert objects["detection"]["objects"] == [
        {
            "label": "person",
            "score": 0.93,
            "presentFrom": 0.25,
            "absentBelow": 0.25,
            "decision": "DECISION_PRESENT",
            "likelihood": "LIKELIHOOD_VERY_LIKELY",
            "box": {"xMin": 0.1, "yMin": 0.1, "xMax": 0.9, "yMax": 1.0},
        }
    ]
    assert refused == {
        "photo": str(bad),
        "error": {
            "code": "INVALID_ARGUMENT",
            "reason": "INVALID_IMAGE",
            "message": "image.content: not a photo",
            "violations": [{"field": "image.content", "description": "not a photo"}],
        },
    }


def test_json_has_zeros_and_empty_lists_so_that_scripts_need_no_defaults(trilens, gateway):
    def answer(request):
        made = full_answer()
        made.outcomes["objects"].CopyFrom(ok("objects", detection=detector_pb2.Detection()))
        return made

    gateway.answer = answer

    _, out, _ = trilens("analyze", "--json", CAT)

    assert json.loads(out)["response"]["outcomes"]["objects"]["detection"] == {"objects": []}


def test_json_leaves_out_details_that_only_a_newer_client_knows(trilens, gateway):
    def answer(request):
        made = partial_answer()
        unknown = any_pb2.Any(type_url="type.googleapis.com/trilens.v9.Novelty", value=b"\x08\x01")
        made.outcomes["captions"].status.details.append(unknown)
        return made

    gateway.answer = answer

    code, out, _ = trilens("analyze", "--json", CAT)

    assert code == 1
    (detail,) = json.loads(out)["response"]["outcomes"]["captions"]["status"]["details"]
    assert detail["reason"] == "DEADLINE_EXCEEDED"


def test_what_a_terminal_would_obey_is_not_written_to_it(trilens, gateway):
    def answer(request):
        made = full_answer()
        made.outcomes["captions"].caption.text = "\x1b[2Ja cat [bold]"
        return made

    gateway.answer = answer

    _, out, _ = trilens("analyze", CAT)

    assert "\x1b" not in out
    assert "a cat [bold]" in out


def test_a_picture_is_saved(trilens, tmp_path):
    out = tmp_path / "new folder" / "seen.png"

    code, _, _ = trilens("analyze", CAT, "--save", out)

    assert code == 0
    with Image.open(out) as picture:
        assert picture.width > 451


def test_several_pictures_go_into_a_folder_under_their_own_names(trilens, gateway, tmp_path):
    gateway.answer = refuse_text
    photos = tmp_path / "photos"
    (photos / "inner").mkdir(parents=True)
    content = Path(CAT).read_bytes()
    for name in ("a.jpg", "inner/a.jpg", "b.gif"):
        (photos / name).write_bytes(content)
    (photos / "bad.jpg").write_bytes(b"text")

    trilens("analyze", photos, photos / "a.jpg", "--save", tmp_path / "seen")

    saved = {path.relative_to(tmp_path / "seen") for path in (tmp_path / "seen").rglob("*.*")}
    assert saved == {Path("a.jpg"), Path("a-2.jpg"), Path("inner/a.jpg"), Path("b.gif.jpg")}


@pytest.mark.parametrize("out", ["photos", "photos/a.jpg"])
def test_originals_are_never_overwritten(trilens, gateway, tmp_path, out):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes(b"original")

    code, _, err = trilens("analyze", photos, "--save", tmp_path / out)

    assert code == 2
    assert "overwrite" in err
    assert (photos / "a.jpg").read_bytes() == b"original"
    assert not gateway.requests


def test_a_picture_that_cannot_be_written_is_an_error_not_a_traceback(trilens, tmp_path):
    (tmp_path / "file").write_bytes(b"")

    code, _, err = trilens("analyze", CAT, "--save", tmp_path / "file" / "seen.jpg")

    assert code == 3
    assert "cannot make the picture" in err


def test_a_photo_that_cannot_be_drawn_costs_no_other_its_picture(trilens, gateway, tmp_path):
    gateway.answer = lambda _: full_answer()
    # Servers pass over what is wrong with metadata; Pillow does not.
    photos = tmp_path / "photos"
    photos.mkdir()
    content = io.BytesIO()
    Image.new("RGB", (64, 48)).save(content, "PNG")
    start = content.getvalue().index(b"IDAT") - 4
    for name, chunk in (
        ("a.png", b"\0\0\0\1pHYsx\x58\xf1\xa1\x04"),
        ("b.png", b"\0\0\0\0tEXt0123"),
    ):
        whole = content.getvalue()
        (photos / name).write_bytes(whole[:start] + chunk + whole[start:])
    (photos / "c.jpg").write_bytes(Path(CAT).read_bytes())

    code, out, err = trilens("analyze", photos, "--save", tmp_path / "seen")

    assert code == 3
    assert out.count("a woman smiles") == 3
    assert err.count("cannot draw") == 2
    assert f"cannot draw {photos / 'b.png'}: " in err
    assert [path.name for path in (tmp_path / "seen").iterdir()] == ["c.jpg"]


def test_models_are_listed_with_the_terms_that_forbid_commerce(trilens):
    code, out, _ = trilens("models", "list")

    assert code == 0
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert rows["attributes"].split()[1:] == [
        "classification", "faces", "1.2.0", "onnxruntime", "Apache-2.0", "yes", "yes",
    ]  # fmt: skip
    assert rows["objects"].split()[-3:] == ["AGPL-3.0-only", "no", "yes"]
    assert "not ready" in rows["captions"]


@pytest.mark.parametrize("name", ["objects", "faces"])
def test_a_model_is_shown_by_its_name_or_its_features(trilens, name):
    code, out, _ = trilens("models", "show", name)

    assert code == 0
    if name == "objects":
        assert "AGPL-3.0-only (no commercial use)" in out
        assert "Whoever serves it publishes the source." in out
        assert "precision-90-v1 (default)" in out
        assert "0.91 (0.72)" in out
        assert "2 of 3" in out
        assert "person 0.25 (0.12)" in out
        assert "traffic_light 0.3 " in out
        assert "toaster never (0.25)" in out
        assert "0.523" in out
        assert "0.481 to 0.565" in out
        assert "0.77" not in out  # on val, which chose the thresholds
        assert "- Small objects are missed." in out


def test_a_model_that_is_not_there_is_told_from_one_that_is_not_ready(trilens):
    code, _, err = trilens("models", "show", "colours")
    assert code == 3
    assert "no model 'colours'; it has attributes, captions, objects" in err

    code, _, err = trilens("models", "show", "captions")
    assert code == 3
    assert "not ready" in err


def test_a_single_service_is_asked_for_its_one_model(trilens):
    with serving(model_service=FakeModelService()) as service:
        code, out, _ = trilens("models", "list", "--server", service, "--json")

    assert code == 0
    assert json.loads(out)["model"]["ref"]["name"] == "objects"


def test_help_says_what_exit_codes_mean(trilens):
    code, out, _ = trilens("analyze", "--help")

    assert code == 0
    assert "3    some photo has no answer" in out


def test_an_answer_of_a_newer_server_is_shown_as_far_as_it_is_understood(trilens, gateway):
    def answer(request):
        made = full_answer()
        made.outcomes["colours"].CopyFrom(ok("colours"))
        made.outcomes["scents"].state = 99
        made.completeness = analysis_pb2.COMPLETENESS_PARTIAL
        return made

    gateway.answer = answer

    code, out, _ = trilens("analyze", CAT)

    assert code == 1
    assert "this version of the client cannot show" in out
    assert "state 99" in out
