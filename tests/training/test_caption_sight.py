"""Eye and decoder learn together, from photos that are a little different each time."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is only in the training environment")

from training import lite0  # noqa: E402
from training.caption_batches import LENGTH, SENTENCES  # noqa: E402
from training.caption_corpus import SIDE, Captioned  # noqa: E402
from training.caption_network import Decoder, Size  # noqa: E402
from training.caption_sight import FIRST_TO_LEARN, varied, varied_batches, whole  # noqa: E402
from training.caption_sources import Corpus  # noqa: E402


def photo(shade):
    return np.full((SIDE, SIDE, 3), shade, np.uint8)


@pytest.fixture
def corpus():
    """Five photos, each of one shade."""
    shades = {f"{number}.jpg": photo(40 * number) for number in range(1, 6)}
    photos = tuple(Captioned(name, (("a", "dog"),)) for name in shades)
    return Corpus("shades", photos, lambda names: (shades[name] for name in names))


def test_only_the_last_blocks_of_the_eye_learn():
    eye = lite0.lite0((SIDE, SIDE, 3), include_top=False)
    decoder = Decoder(20, Size(units=8, width=6, attention=4), name="decoder")

    learning = {weight.path for weight in whole(eye, decoder).trainable_weights}

    of_the_eye = {path for path in learning if not path.startswith("decoder")}
    assert {path.split("/")[0].split("_")[0] for path in of_the_eye} == {
        *(f"block{number}" for number in range(int(FIRST_TO_LEARN[5:]), 16)),
        "head",
    }
    assert not any("norm" in path for path in of_the_eye)
    assert len(learning) > len(of_the_eye)


def test_an_epoch_shows_every_photo_with_its_own_words(corpus):
    words = np.arange(11, 16)[:, None, None] * np.ones((5, SENTENCES, LENGTH), np.int32)
    shown = []
    for seen, said, weights in varied_batches(corpus, words.astype(np.int32), 1, (7, 0)):
        shade = seen.mean() * lite0.STD + lite0.MEAN
        number = int(said[0, 0, 0]) - 10
        assert shade == pytest.approx(40 * number, rel=0.25)
        assert weights.mean() == pytest.approx(1)
        shown.append(number)

    assert sorted(shown) == [1, 2, 3, 4, 5]


def test_a_varied_photo_is_most_of_the_photo_brighter_or_darker():
    ramp = np.broadcast_to(np.arange(SIDE, dtype=np.uint8)[None, :, None], (SIDE, SIDE, 3)).copy()
    random = np.random.default_rng(1)
    mirrored = 0
    for _ in range(50):
        one = varied(ramp, random)
        assert one.shape == ramp.shape
        assert one.dtype == np.uint8
        row = one[0, :, 0].astype(int)
        assert np.ptp(row) > 0.6 * SIDE
        mirrored += row[0] > row[-1]
    assert 10 < mirrored < 40
