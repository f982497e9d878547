"""The default classifier on real photos, and what it makes of odd ones."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from chassis.images import ImageLimits, Pixels, decode
from services.classifier import model as classifier_model
from services.classifier.model import Attributes, Classifier, load
from services.model import ModelError
from services.packages import InvalidPackage, open_package
from services.selftest import check

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "models" / "attributes" / "1.1.0"


@pytest.fixture(scope="module")
def classifier():
    model = load(open_package(PACKAGE))
    yield model
    model.close()


def photo(name):
    content = (ROOT / "tests" / "photos" / name).read_bytes()
    return decode(content, 640, ImageLimits()).pixels


def noise(width, height):
    random = np.random.default_rng(3)
    return Pixels(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


def scores(scored):
    return {score.label: score.score for score in scored.scores}


def numbers(attributes):
    """Every number of an answer, in one array."""
    return np.array(
        [
            [*dataclasses.astuple(face.box), face.confidence, *scores(face).values()]
            for face in attributes.faces
        ]
    )


def test_the_astronaut_smiles_and_wears_no_glasses(classifier):
    (attributes,) = classifier.predict([photo("astronaut.jpg")])

    (face,) = attributes.faces
    assert face.confidence > 0.9
    assert face.box.x_min < 0.44 < face.box.x_max  # her nose
    assert face.box.y_min < 0.24 < face.box.y_max
    assert scores(face)["smiling"] > 0.8
    assert scores(face)["sunglasses"] < 0.1
    assert scores(face)["eyeglasses"] < 0.2


def test_eyeglasses_are_no_sunglasses(classifier):
    (attributes,) = classifier.predict([photo("hopper.jpg")])

    assert scores(attributes)["eyeglasses"] > 0.5
    assert scores(attributes)["sunglasses"] < 0.3


def test_the_photo_has_the_highest_score_of_its_faces(classifier):
    (attributes,) = classifier.predict([photo("two_people.jpg")])

    assert len(attributes.faces) == 2
    confidences = [face.confidence for face in attributes.faces]
    assert confidences == sorted(confidences, reverse=True)
    for label, score in scores(attributes).items():
        assert score == max(scores(face)[label] for face in attributes.faces)
    left, right = sorted(attributes.faces, key=lambda face: face.box.x_min)
    assert scores(left)["smiling"] > scores(right)["smiling"]
    assert scores(right)["eyeglasses"] > scores(left)["eyeglasses"]


@pytest.mark.parametrize("name", ["coffee.jpg", "cat.jpg", "rocket.jpg"])
def test_where_nobody_is_nothing_is_said_of_anybody(classifier, name):
    assert classifier.predict([photo(name)]) == (Attributes((), ()),)


@pytest.mark.parametrize(
    ("width", "height"),
    [(1, 1), (4000, 16), (3, 900), (12, 12), (31, 31), (1, 4000), (1200, 900)],
)
def test_a_photo_of_any_shape_is_answered(classifier, width, height):
    (attributes,) = classifier.predict([noise(width, height)])

    assert isinstance(attributes, Attributes)


def test_a_flat_photo_has_no_faces(classifier):
    white = Pixels(np.full((480, 640, 3), 255, np.uint8))

    assert classifier.predict([white]) == (Attributes((), ()),)


def test_boxes_end_where_the_photo_ends(classifier):
    close = photo("hopper.jpg").array[60:420, 190:460]

    (attributes,) = classifier.predict([Pixels(np.ascontiguousarray(close))])

    (face,) = attributes.faces
    assert face.box.x_min == 0
    assert numbers(attributes)[:, :4].max() <= 1


def test_a_photo_larger_than_asked_for_has_the_same_faces(classifier):
    small = photo("astronaut.jpg").array
    large = Pixels(np.repeat(np.repeat(small, 3, axis=0), 3, axis=1))

    (attributes,) = classifier.predict([large])

    (expected,) = classifier.predict([photo("astronaut.jpg")])
    np.testing.assert_allclose(numbers(attributes)[:, :4], numbers(expected)[:, :4], atol=0.03)


def test_a_batch_answers_as_each_photo_alone(classifier):
    names = ["two_people.jpg", "coffee.jpg", "astronaut.jpg", "hopper.jpg"]
    photos = [photo(name) for name in names] + [noise(1, 1)]

    together = classifier.predict(photos)

    for one, answer in zip(photos, together, strict=True):
        (alone,) = classifier.predict([one])
        assert len(answer.faces) == len(alone.faces)
        np.testing.assert_allclose(numbers(answer), numbers(alone), atol=1e-4)


def test_no_photos_no_answers(classifier):
    assert classifier.predict([]) == ()


def test_many_faces_are_scored_in_bounded_runs(classifier):
    faces = np.random.default_rng(2).integers(0, 256, (37, 112, 112, 3), dtype=np.uint8)

    together = classifier.logits(list(faces))

    alone = np.concatenate([classifier.logits([face]) for face in faces[::9]])
    np.testing.assert_allclose(together[::9], alone, atol=1e-4)


def test_a_photo_whose_answer_is_not_finite_fails_alone(classifier, monkeypatch):
    sound = Classifier.logits

    def broken(self, crops):
        logits = sound(self, crops)
        logits[:1] = np.nan
        return logits

    monkeypatch.setattr(Classifier, "logits", broken)

    failed, sane = classifier.predict([photo("astronaut.jpg"), photo("hopper.jpg")])

    assert isinstance(failed, ModelError)
    assert len(sane.faces) == 1


def test_the_package_passes_its_self_test(classifier):
    check(classifier)


def rewritten(tmp_path, **changes):
    """The package with other values in its manifest."""
    folder = tmp_path / "package"
    shutil.copytree(PACKAGE, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))
    return open_package(folder)


def test_a_package_with_other_labels_than_its_network_is_refused(tmp_path):
    labels = [{"id": name, "name": name} for name in ("smiling", "sunglasses", "eyeglasses", "hat")]
    sets = {"even-v1": {"labels": {"*": {"present": 0.5, "absent": 0.5}}}}
    package = rewritten(
        tmp_path, labels=labels, threshold_sets=sets, default_threshold_set="even-v1"
    )

    with pytest.raises(InvalidPackage, match=r"shape \(1, 3\); wanted is \(1, 4\)"):
        load(package)


def test_a_parameter_that_is_no_number_is_named(tmp_path):
    package = rewritten(tmp_path, parameters={"min_face": "small"})

    with pytest.raises(InvalidPackage, match="min_face"):
        load(package)


def test_a_network_for_channels_last_gets_them_so():
    package = open_package(PACKAGE)
    layout = package.manifest.preprocessing.model_copy(update={"layout": "NHWC"})
    manifest = package.manifest.model_copy(update={"preprocessing": layout})
    network = ShapeKeeper()
    finder = object()
    native = classifier_model.Classifier(
        dataclasses.replace(package, manifest=manifest), finder, network
    )

    native.logits([np.zeros((112, 112, 3), np.uint8)])

    assert network.shapes == [(1, 112, 112, 3)]


class ShapeKeeper:
    """A network that remembers the shapes it was given."""

    def __init__(self):
        self.shapes = []

    def run(self, inputs):
        self.shapes.append(inputs["images"].shape)
        return {"logits": np.zeros((len(inputs["images"]), 3), np.float32)}
