"""Labelled photos: read by their digest, and scored."""

import hashlib
import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rollout.judge.observation import Pairs
from rollout.probes import BadProbes, Label, load, right, settled
from tests.harness import LOOPBACK, PHOTOS
from trilens.v1 import captioner_pb2, classifier_pb2, decision_pb2, detector_pb2

PRESENT, ABSENT = decision_pb2.DECISION_PRESENT, decision_pb2.DECISION_ABSENT
CAT = (PHOTOS / "cat.jpg").read_bytes()
BOX = {"x_min": 0.1, "y_min": 0.1, "x_max": 0.5, "y_max": 0.5}
THERE = (0.1, 0.1, 0.5, 0.5)
ELSEWHERE = (0.6, 0.6, 0.9, 0.9)


def write(folder: Path, **changes: str) -> Path:
    """A set of one photo; returns its manifest."""
    (folder / "cat.jpg").write_bytes(CAT)
    probe = {
        "uri": "cat.jpg",
        "sha256": hashlib.sha256(CAT).hexdigest(),
        "labels": [{"feature": "objects", "present": "cat"}],
    }
    manifest = folder / "probes.json"
    manifest.write_text(json.dumps({"schema": 1, "name": "one", "probes": [probe | changes]}))
    return manifest


def objects(*labels: str) -> detector_pb2.Detection:
    return detector_pb2.Detection(
        objects=[{"label": one, "decision": PRESENT, "box": BOX} for one in labels]
    )


def label(**fields) -> Label:
    return Label(feature="objects", **fields)


def test_a_set_is_read_with_its_photos(tmp_path):
    probes = load(write(tmp_path))

    assert [photo.content for photo in probes.photos] == [CAT]
    assert probes.asked(["objects", "captions"]) == {"objects": 1}


def test_a_photo_that_changed_is_refused(tmp_path):
    with pytest.raises(BadProbes, match="its SHA-256 is"):
        load(write(tmp_path, sha256="0" * 64))


def test_a_manifest_that_changed_is_refused_if_its_digest_was_named(tmp_path):
    manifest = write(tmp_path)
    digest = hashlib.sha256(manifest.read_bytes()).hexdigest()

    assert load(f"{manifest}@sha256:{digest}").name == "one"
    with pytest.raises(BadProbes, match="its SHA-256 is"):
        load(f"{manifest}@sha256:{'0' * 64}")


def test_photos_come_over_http_too(tmp_path):
    write(tmp_path)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer((LOOPBACK, 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            probes = load(f"http://{LOOPBACK}:{server.server_port}/probes.json")
        finally:
            server.shutdown()

    assert probes.photos[0].content == CAT


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"uri": "ftp://somewhere/cat.jpg"}, "neither a file nor"),
        ({"uri": "dog.jpg"}, "No such file"),
        ({"labels": [{"feature": "objects", "present": "a", "absent": "b"}]}, "say one of"),
        ({"labels": [{"feature": "objects"}]}, "say one of"),
    ],
)
def test_a_set_that_cannot_be_used_says_why(tmp_path, changes, said):
    with pytest.raises(BadProbes, match=said):
        load(write(tmp_path, **changes))


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"present": "cat"}, True),
        ({"present": "dog"}, False),
        ({"absent": "dog"}, True),
        ({"absent": "cat"}, False),
        ({"present": "cat", "at": THERE}, True),
        ({"present": "cat", "at": ELSEWHERE}, False),
    ],
)
def test_objects_are_right_by_label_and_place(known, expected):
    assert right(objects("cat"), label(**known)) is expected


@pytest.mark.parametrize(
    ("decision", "known", "expected"),
    [
        (PRESENT, {"present": "smiling"}, True),
        (PRESENT, {"absent": "smiling"}, False),
        (ABSENT, {"absent": "smiling"}, True),
        (decision_pb2.DECISION_UNCERTAIN, {"present": "smiling"}, False),
        (decision_pb2.DECISION_UNCERTAIN, {"absent": "smiling"}, False),
        (PRESENT, {"present": "smiling", "at": THERE}, True),
        (PRESENT, {"present": "smiling", "at": ELSEWHERE}, False),
    ],
)
def test_faces_are_right_by_decision_and_place(decision, known, expected):
    scores = [{"label": "smiling", "decision": decision}]
    answer = classifier_pb2.Classification(faces=[{"box": BOX, "labels": scores}])

    assert right(answer, label(**known)) is expected


def test_without_a_face_nothing_said_of_it_is_right():
    answer = classifier_pb2.Classification()

    assert not right(answer, label(absent="smiling"))


def test_captions_are_right_by_any_of_the_words():
    caption = captioner_pb2.Caption(text="A brown Dog runs.")

    assert right(caption, label(words=("dog", "puppy")))
    assert not right(caption, label(words=("do", "cat")))


def test_a_photo_is_won_by_who_has_more_of_its_labels_right_and_counts_once():
    known = [label(present="cat"), label(present="dog"), label(absent="car")]

    assert settled(objects("cat", "dog"), objects("car"), known) == Pairs(1, lost=1)
    assert settled(objects("car"), objects("cat"), known) == Pairs(1, won=1)
    assert settled(objects("cat"), objects("dog"), known) == Pairs(1)
