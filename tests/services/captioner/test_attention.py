"""Maps of a sentence's words: the attention of the sentence that was written, and of no other."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from chassis.images import ImageLimits, Pixels, decode
from services.captioner.attention import ATTENTION, grid
from services.captioner.model import Candidate, Captioner, Captions, load
from services.model import Method, ModelError
from services.packages import open_package

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "models" / "captions" / "1.1.0"


@pytest.fixture(scope="module")
def captioner():
    model = load(open_package(PACKAGE))
    yield model
    model.close()


def photo(name: str) -> Pixels:
    content = (ROOT / "tests" / "photos" / name).read_bytes()
    return decode(content, 320, ImageLimits()).pixels


def maps(captioner: Captioner, pixels: Pixels, captions: Captions):
    return [map_ for done in captioner.explainer.explain(pixels, captions) for map_ in done]


def saying(text: str) -> Captions:
    return Captions((Candidate(text, -1.0, 5),))


@pytest.mark.parametrize("name", ["astronaut.jpg", "cat.jpg"])
def test_every_word_has_a_map_of_shares_of_the_whole_photo(captioner, name):
    pixels = photo(name)
    (captions,) = captioner.predict([pixels])

    found = maps(captioner, pixels, captions)

    said = captions.candidates[0].text.removesuffix(".").lower()
    assert " ".join(one.word for one in found).replace(" '", "'") == said
    for one in found:
        assert one.values.shape == (7, 7)
        assert one.values.min() >= 0
        assert one.values.sum() == pytest.approx(1, abs=1e-4)
        assert dataclasses.astuple(one.box) == (0, 0, 1, 1)
    assert captioner.explainer.method is Method.ATTENTION


class Listening:
    """A decoder that notes what it was told and where it looked."""

    def __init__(self, network):
        self.network, self.heard = network, []

    def run(self, inputs):
        said = self.network.run(inputs)
        self.heard.append((inputs["words"], said[ATTENTION]))
        return said

    def close(self):
        self.network.close()


def test_a_dictated_sentence_is_looked_at_as_it_was_when_it_was_written(captioner):
    package = captioner.package
    decoder = Listening(package.network("decoder"))
    listening = Captioner(package, package.network("encoder"), decoder)
    listening.learn_to_explain()
    pixels = photo("astronaut.jpg")
    decoder.heard.clear()
    (captions,) = listening.predict([pixels])
    searched = list(decoder.heard)

    found = maps(listening, pixels, Captions(captions.candidates[:1]))

    words = package.file("vocabulary").read_text().splitlines()
    said = "<start>"
    for one, (heard, attention) in zip(found, searched, strict=False):
        beams = np.flatnonzero(heard[0] == words.index(said))
        distances = [np.abs(attention[0, beam] - one.values.ravel()).max() for beam in beams]
        assert min(distances) < 1e-3, one.word
        said = one.word


def test_a_word_with_an_apostrophe_is_two_as_the_vocabulary_has_it(captioner):
    found = maps(captioner, photo("cat.jpg"), saying("A man's dog runs."))

    assert [one.word for one in found] == ["a", "man", "'s", "dog", "runs"]


def test_a_sentence_in_other_words_than_the_models_is_an_error(captioner):
    with pytest.raises(ModelError, match="purrs"):
        maps(captioner, photo("cat.jpg"), saying("A cat purrs."))


def test_nothing_is_explained_where_nothing_was_said(captioner):
    assert maps(captioner, photo("cat.jpg"), Captions(())) == []


class Silent(Listening):
    """A decoder that does not tell where it looked."""

    def run(self, inputs):
        said = self.network.run(inputs)
        return {name: values for name, values in said.items() if name != ATTENTION}


def test_a_decoder_that_does_not_tell_where_it_looked_explains_nothing(captioner):
    package = captioner.package
    silent = Captioner(package, package.network("encoder"), Silent(package.network("decoder")))
    silent.learn_to_explain()

    assert silent.explainer is None


class Blinded(Listening):
    """A decoder that looked nowhere."""

    def run(self, inputs):
        said = self.network.run(inputs)
        return said | {ATTENTION: np.full_like(said[ATTENTION], np.nan)}


def test_attention_that_is_no_number_explains_nothing(captioner):
    package = captioner.package
    blinded = Captioner(package, package.network("encoder"), Blinded(package.network("decoder")))
    blinded.learn_to_explain()

    with pytest.raises(ModelError, match="not finite"):
        maps(blinded, photo("cat.jpg"), saying("A cat."))


@pytest.mark.parametrize(
    ("places", "width", "height", "found"),
    [
        (49, 224, 224, (7, 7)),
        (35, 160, 224, (7, 5)),
        (50, 224, 224, None),
        (1, 8, 8, (1, 1)),
        (32 * 32, 224, 224, (32, 32)),
        (33 * 33, 224, 224, None),  # more than an answer may hold
    ],
)
def test_places_divide_the_photo_in_the_shape_it_is_squashed_to(places, width, height, found):
    assert grid(places, width, height) == found
