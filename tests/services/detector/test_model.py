"""The default detector on real photos, and what it makes of odd ones."""

import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chassis.images import ImageLimits, Pixels, decode
from services.detector import model as detector_model
from services.detector.model import Detections, Detector, load
from services.manifest import Calibration
from services.model import ModelError
from services.packages import InvalidPackage, open_package
from services.selftest import check

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "models" / "objects" / "1.1.0"


@pytest.fixture(scope="module")
def detector():
    model = load(open_package(PACKAGE))
    yield model
    model.close()


def photo(name, max_side=512):
    content = (ROOT / "tests" / "photos" / name).read_bytes()
    return decode(content, max_side, ImageLimits()).pixels


def noise(width, height, seed=1):
    random = np.random.default_rng(seed)
    return Pixels(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


def seen(detections, threshold=0.3):
    return [found.label for found in detections.boxes if found.score >= threshold]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("astronaut.jpg", "person"),
        ("camera.jpg", "person"),
        ("cat.jpg", "cat"),
        ("coffee.jpg", "cup"),
    ],
)
def test_the_first_answer_names_what_is_on_the_photo(detector, name, label):
    (detections,) = detector.predict([photo(name)])

    assert detections.boxes[0].label == label
    assert detections.boxes[0].score > 0.6


def with_calibration(detector, fits):
    """What the detector finds on a photo if its package has these fits."""
    manifest = detector.package.manifest.model_copy(update={"calibration": fits})
    model = load(dataclasses.replace(detector.package, manifest=manifest))
    (detections,) = model.predict([photo("coffee.jpg")])
    model.close()
    return detections


def test_a_calibrated_package_finds_the_same_boxes_with_other_scores_best_first(detector):
    fits = {"cup": Calibration(scale=1, offset=-4), "*": Calibration(scale=2, offset=0)}

    before, after = (with_calibration(detector, one) for one in ({}, fits))

    assert {(one.label, one.box) for one in after.boxes} == {
        (one.label, one.box) for one in before.boxes
    }
    assert before.boxes[0].label == "cup"
    assert after.boxes[0].label == "dining_table"
    by_box = {(one.label, one.box): one.score for one in after.boxes}
    for one in before.boxes:
        odds = (one.score / (1 - one.score)) ** (1 if one.label == "cup" else 2)
        odds *= np.exp(-4) if one.label == "cup" else 1
        assert by_box[one.label, one.box] == pytest.approx(odds / (1 + odds), rel=1e-4)
    assert [one.score for one in after.boxes] == sorted(by_box.values(), reverse=True)


def test_two_people_are_two_boxes_left_and_right(detector):
    (detections,) = detector.predict([photo("two_people.jpg")])

    people = [found.box for found in detections.boxes if found.label == "person"][:2]
    left, right = sorted(people, key=lambda box: box.x_min)
    assert left.x_max < 0.65
    assert right.x_min > 0.4


def test_the_package_passes_its_own_self_test(detector):
    check(detector)


def test_golden_answers_do_not_hang_on_the_last_digit():
    """A box at the floor, or two of equal score, would fail on another processor."""
    fit = open_package(PACKAGE).manifest.calibration_of("person")
    floor = 1 / (1 + np.exp(-fit.scale * np.log(0.01 / 0.99) - fit.offset))
    for case in (PACKAGE / "golden").glob("*.json"):
        scores = [found["score"] for found in json.loads(case.read_text())["boxes"]]
        assert min(scores) > floor + 1e-5, case.name
        assert min(-np.diff(scores)) > 1e-6, case.name


@pytest.mark.parametrize(("width", "height"), [(1, 1), (4000, 16), (3, 900), (2, 2), (480, 480)])
def test_photos_of_extreme_shapes_have_an_answer_inside_them(detector, width, height):
    (detections,) = detector.predict([noise(width, height)])

    assert isinstance(detections, Detections)
    for found in detections.boxes:
        assert 0 <= found.box.x_min < found.box.x_max <= 1
        assert 0 <= found.box.y_min < found.box.y_max <= 1


def test_boxes_are_fractions_of_the_photo_whatever_its_size(detector):
    large = photo("coffee.jpg", 600)
    small = Pixels(np.asarray(Image.fromarray(large.array).resize((240, 160))))

    (one,), (other,) = detector.predict([large]), detector.predict([small])

    for found, again in zip(one.boxes[:1], other.boxes[:1], strict=True):
        assert found.label == again.label == "cup"
        assert dataclasses.astuple(found.box) == pytest.approx(
            dataclasses.astuple(again.box), abs=0.03
        )


def test_answers_come_best_first_above_the_floor_and_no_more_than_the_limit(detector):
    for detections in detector.predict([photo("astronaut.jpg"), noise(640, 480)]):
        scores = [found.score for found in detections.boxes]
        assert scores == sorted(scores, reverse=True)
        assert min(scores, default=1) >= 0.01
        assert len(scores) <= 300


def test_a_photo_has_the_same_raw_answer_in_any_batch(detector):
    inputs, _ = detector.prepare([photo("coffee.jpg"), noise(600, 400), noise(300, 200)])

    together = detector.raw(inputs)
    alone = np.concatenate([detector.raw(one[None]) for one in inputs])

    assert np.abs(together[:, 4:] - alone[:, 4:]).max() <= 1e-4
    # Boxes are in pixels here and in fractions of the photo for the caller.
    assert np.abs(together[:, :4] - alone[:, :4]).max() / 512 <= 1e-4


def test_photos_of_different_shapes_are_answered_in_their_order(detector):
    photos = [photo("coffee.jpg"), photo("astronaut.jpg"), noise(30, 700), photo("cat.jpg")]

    together = detector.predict([*photos, *photos])

    for pixels, one, again in zip(photos, together[:4], together[4:], strict=True):
        (alone,) = detector.predict([pixels])
        assert len(alone.boxes) == len(one.boxes) == len(again.boxes)
        for found in (one, again):
            for expected, box in zip(alone.boxes, found.boxes, strict=True):
                assert box.label == expected.label
                assert box.score == pytest.approx(expected.score, abs=1e-4)


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [
        (640, 480, (384, 512)),
        (480, 640, (512, 384)),
        (600, 400, (352, 512)),
        (64, 64, (512, 512)),
        (4000, 16, (32, 512)),
    ],
)
def test_the_input_has_the_photos_own_shape(detector, width, height, shape):
    inputs, _ = detector.prepare([noise(width, height)])

    assert inputs.shape == (1, 3, *shape)


def test_a_batch_larger_than_the_package_allows_is_run_in_parts(detector):
    photos = [photo("cat.jpg"), photo("coffee.jpg"), photo("camera.jpg")] * 3

    answers = detector.predict(photos)

    assert [seen(answer)[0] for answer in answers] == ["cat", "cup", "person"] * 3


def test_no_photos_have_no_answers(detector):
    assert detector.predict([]) == ()


class BrokenForGrey:
    """A network with one label that answers NaN for photos that are grey all over."""

    def __init__(self, shape=(5, 3)):
        self.shape = shape

    def run(self, inputs):
        (images,) = inputs.values()
        raw = np.zeros((len(images), *self.shape), dtype=np.float32)
        raw[np.ptp(images, axis=(1, 2, 3)) == 0] = np.nan
        return {"output0": raw}

    def close(self):
        pass


def one_label_package(tmp_path):
    manifest = json.loads((PACKAGE / "manifest.json").read_text())
    manifest["labels"] = [{"id": "thing", "name": "Thing"}]
    manifest["default_threshold_set"] = "even-v1"
    manifest["threshold_sets"] = {"even-v1": manifest["threshold_sets"]["even-v1"]}
    package = open_package(PACKAGE)
    changed = type(package.manifest).model_validate_json(json.dumps(manifest))
    return dataclasses.replace(package, path=tmp_path, manifest=changed)


def test_a_photo_whose_answer_is_not_finite_fails_alone(tmp_path):
    detector = Detector(one_label_package(tmp_path), BrokenForGrey())
    grey = Pixels(np.full((480, 480, 3), 114, dtype=np.uint8))

    answers = detector.predict([noise(9, 9), grey, noise(9, 9)])

    assert [type(answer) for answer in answers] == [Detections, ModelError, Detections]


@pytest.mark.parametrize("shape", [(84, 3), (3, 5), (6, 300)])
def test_a_network_with_another_number_of_rows_is_refused_with_both_shapes(tmp_path, shape):
    detector = Detector(one_label_package(tmp_path), BrokenForGrey(shape))

    with pytest.raises(InvalidPackage, match=rf"\(1, {shape[0]}, {shape[1]}\).*\(1, 5, anchors\)"):
        detector.check()


def test_a_parameter_that_is_no_number_is_refused_by_name(tmp_path):
    package = one_label_package(tmp_path)
    manifest = package.manifest.model_copy(update={"parameters": {"floor": "low"}})

    with pytest.raises(InvalidPackage, match=r"parameters\.floor must be a number, not 'low'"):
        Detector(dataclasses.replace(package, manifest=manifest), BrokenForGrey())


def test_a_photo_that_shows_everything_costs_little_to_read():
    """The worst a network can answer: every anchor sure of every label, all boxes apart."""
    random = np.random.default_rng(1)
    raw = random.random((84, 4725), dtype=np.float32)
    raw[:2] *= 480
    began = time.process_time()

    found = detector_model.suppress(detector_model.candidates(raw, 0.01), 0.6, 300)

    assert len(found) == 300
    assert time.process_time() - began < 0.25
