"""The default captioner on real photos, and what it makes of odd ones."""

import dataclasses
import json
import math
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from chassis.images import ImageLimits, Pixels, decode
from services.captioner.model import Captioner, load
from services.manifest import Calibration
from services.model import ModelError
from services.packages import InvalidPackage, open_package
from services.selftest import check

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "models" / "captions" / "1.1.0"
PEOPLE = {"man", "woman", "boy", "girl", "person", "people", "child", "men", "women"}


@pytest.fixture(scope="module")
def captioner():
    model = load(open_package(PACKAGE))
    yield model
    model.close()


def photo(name, max_side=320):
    content = (ROOT / "tests" / "photos" / name).read_bytes()
    return decode(content, max_side, ImageLimits()).pixels


def noise(width, height, seed=1):
    random = np.random.default_rng(seed)
    return Pixels(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


def words(captions):
    return set(captions.candidates[0].text.lower().rstrip(".").split())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("astronaut.jpg", PEOPLE),
        ("hopper.jpg", PEOPLE),
        ("camera.jpg", PEOPLE),
        ("two_people.jpg", PEOPLE),
        ("cat.jpg", {"cat", "dog"}),  # it has seen few cats, and takes them for dogs
    ],
)
def test_the_sentence_names_who_is_on_the_photo(captioner, name, expected):
    (captions,) = captioner.predict([photo(name)])

    assert words(captions) & expected, captions.candidates[0].text


def test_sentences_begin_with_a_capital_and_end_with_a_full_stop(captioner):
    for captions in captioner.predict([photo("astronaut.jpg"), photo("cat.jpg"), noise(64, 48)]):
        for candidate in captions.candidates:
            assert re.fullmatch(r"[A-Z0-9][a-z0-9' -]*\.", candidate.text), candidate.text


def test_candidates_differ_and_come_best_first_for_their_length(captioner):
    power = captioner.package.manifest.parameters["length_power"]
    for captions in captioner.predict([photo("astronaut.jpg"), photo("coffee.jpg")]):
        scores = [one.log_probability / one.tokens**power for one in captions.candidates]
        assert scores == sorted(scores, reverse=True)
        assert len({one.text for one in captions.candidates}) == len(captions.candidates)


def test_confidence_is_the_calibrated_mean_log_probability(captioner):
    package = captioner.package
    fit = Calibration(scale=4.0, offset=3.0)
    calibrated = dataclasses.replace(
        package, manifest=package.manifest.model_copy(update={"calibration": {"*": fit}})
    )
    model = load(calibrated)
    (captions,) = model.predict([photo("astronaut.jpg")])
    model.close()

    for one in captions.candidates:
        odds = math.exp(4.0 * one.log_probability / one.tokens + 3.0)
        assert one.confidence == pytest.approx(odds / (1 + odds))


def test_without_calibration_there_is_no_confidence(captioner):
    package = captioner.package
    plain = dataclasses.replace(
        package, manifest=package.manifest.model_copy(update={"calibration": {}})
    )
    model = load(plain)
    (captions,) = model.predict([photo("astronaut.jpg")])
    model.close()

    assert {one.confidence for one in captions.candidates} == {None}


def test_a_photo_is_described_alike_alone_and_in_a_batch(captioner):
    names = ("astronaut.jpg", "cat.jpg", "coffee.jpg", "rocket.jpg", "two_people.jpg")
    photos = [photo(name) for name in names]

    for pixels, among_others in zip(photos, captioner.predict(photos), strict=True):
        (alone,) = captioner.predict([pixels])
        assert [one.text for one in alone.candidates] == [
            one.text for one in among_others.candidates
        ]
        for one, other in zip(alone.candidates, among_others.candidates, strict=True):
            assert one.log_probability == pytest.approx(other.log_probability, abs=1e-4)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (4000, 16), (16, 4000), (224, 224)])
def test_a_photo_of_any_shape_is_described(captioner, width, height):
    (captions,) = captioner.predict([noise(width, height)])

    assert captions.candidates[0].text


def test_no_photos_give_no_captions(captioner):
    assert captioner.predict([]) == ()


def test_threads_may_predict_at_once(captioner):
    photos = [photo("astronaut.jpg"), photo("cat.jpg")] * 4
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda one: captioner.predict([one])[0], photos))

    assert found[0].candidates[0].text == found[2].candidates[0].text == found[6].candidates[0].text
    assert found[1].candidates[0].text == found[3].candidates[0].text == found[7].candidates[0].text


class Spoilt:
    """An encoder whose features of the photo at one place are not numbers."""

    def __init__(self, network, place):
        self.network, self.place = network, place

    def run(self, inputs):
        found = self.network.run(inputs)
        found["values"] = found["values"].copy()
        found["values"][self.place] = np.nan
        return found

    def close(self):
        self.network.close()


def test_features_that_are_no_numbers_cost_only_their_own_photo(captioner):
    package = captioner.package
    spoilt = Captioner(package, Spoilt(package.network("encoder"), 1), package.network("decoder"))
    photos = [photo("astronaut.jpg"), photo("cat.jpg"), photo("coffee.jpg")]

    first, second, third = spoilt.predict(photos)

    assert isinstance(second, ModelError)
    sound = captioner.predict([photos[0], photos[2]])
    assert [captions.candidates[0].text for captions in (first, third)] == [
        captions.candidates[0].text for captions in sound
    ]


def test_a_batch_without_a_sound_photo_is_all_errors(captioner):
    package = captioner.package
    spoilt = Captioner(package, Spoilt(package.network("encoder"), 0), package.network("decoder"))

    (found,) = spoilt.predict([photo("cat.jpg")])

    assert isinstance(found, ModelError)


def test_the_package_passes_its_own_self_test(captioner):
    check(captioner)


def test_golden_answers_do_not_hang_on_the_last_digit():
    """Sentences of nearly equal score would change places on another processor."""
    power = open_package(PACKAGE).manifest.parameters["length_power"]
    for case in (PACKAGE / "golden").glob("*.json"):
        candidates = json.loads(case.read_text())["candidates"]
        scores = [one["log_probability"] / one["tokens"] ** power for one in candidates]
        assert min(-np.diff(scores), default=1) > 1e-3, case.name


@pytest.mark.parametrize(
    ("change", "reason"), [({"start": None}, "start"), ({"beams": 0}, "beams")]
)
def test_a_package_that_cannot_be_searched_is_refused_with_the_reason(captioner, change, reason):
    package = captioner.package
    parameters = {
        name: value
        for name, value in {**package.manifest.parameters, **change}.items()
        if value is not None
    }
    lacking = dataclasses.replace(
        package, manifest=package.manifest.model_copy(update={"parameters": parameters})
    )

    with pytest.raises(InvalidPackage, match=reason):
        load(lacking)
