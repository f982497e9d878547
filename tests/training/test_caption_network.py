"""The caption decoder: a step at a time says what it says about whole sentences."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is only in the training environment")

from training.caption_corpus import END, START  # noqa: E402
from training.caption_network import Decoder, Size  # noqa: E402
from training.caption_reward import Draw  # noqa: E402

VOCABULARY, PLACES, CHANNELS = 11, 4, 6


@pytest.fixture(scope="module")
def decoder():
    keras.utils.set_random_seed(1)
    made = Decoder(VOCABULARY, Size(units=8, width=5, attention=3))
    made.build((None, PLACES, CHANNELS))
    return made


@pytest.fixture
def seen():
    return np.random.default_rng(1).normal(size=(2, PLACES, CHANNELS)).astype(np.float32)


def test_steps_say_what_whole_sentences_say(decoder, seen):
    words = np.random.default_rng(2).integers(3, VOCABULARY, (2, 3, 6))
    logits = decoder(seen, words)
    whole = np.asarray(keras.ops.log_softmax(logits))

    memory, state = decoder.look(seen, 3)
    previous = np.full((2, 3), START)
    for position in range(words.shape[2]):
        scores, state, attention = decoder.step(previous, memory, state)
        np.testing.assert_allclose(np.asarray(scores), whole[:, :, position], atol=1e-5)
        np.testing.assert_allclose(np.asarray(attention).sum(-1), 1, atol=1e-5)
        previous = words[:, :, position]


def test_a_word_depends_on_no_later_word(decoder, seen):
    words = np.random.default_rng(2).integers(3, VOCABULARY, (2, 3, 6))
    other = words.copy()
    other[:, :, 4:] = 3

    one, two = np.asarray(decoder(seen, words)), np.asarray(decoder(seen, other))

    np.testing.assert_allclose(one[:, :, :5], two[:, :, :5], atol=1e-6)


def test_drawn_sentences_end_once_and_hold_no_mark(decoder, seen):
    drawn = np.asarray(Draw(decoder, sentences=50, seed=3)(seen))

    assert drawn.shape[:2] == (2, 50)
    assert START not in drawn
    ended = (drawn == END).cumsum(-1) > 0
    assert (drawn[ended] == END).all()
    assert len(np.unique(drawn.reshape(100, -1), axis=0)) > 50
