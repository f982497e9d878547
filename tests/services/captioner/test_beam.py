"""Beam search over a language small enough to be searched in full."""

import itertools
import math

import numpy as np
import pytest

from services.captioner.beam import Search, search

END, START, NEVER = 0, 1, 2
WORDS = 8
RULES = Search(start=START, end=END, never=(START, NEVER), beams=3, longest=6)


class Bigrams:
    """Offers next words by the last one; each photo has a table of its own."""

    def __init__(self, photos, seed=0, end=0.0):
        random = np.random.default_rng(seed)
        logits = random.normal(0, 2, (photos, WORDS, WORDS))
        logits[:, :, END] += end
        self.scores = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        self.seen = []

    def step(self, photos, words, state):
        (count,) = state
        self.seen.append((tuple(photos.tolist()), words.copy(), count.copy()))
        scores = self.scores[photos[:, None], words]
        order = np.argsort(-scores, axis=-1)
        found = np.take_along_axis(scores, order, -1).astype(np.float32)
        return found, order.astype(np.int64), (count + words[:, :, None],)

    def state(self, rules):
        return (np.zeros((len(self.scores), rules.beams, 1), np.float32),)

    def write(self, rules=RULES):
        return search(self, self.state(rules), rules)

    def log_probability(self, photo, words):
        path = (START, *words, END)
        return sum(self.scores[photo, a, b] for a, b in itertools.pairwise(path))


def allowed(words):
    return all(a != b for a, b in itertools.pairwise(words))


def test_a_wide_beam_finds_the_likeliest_sentence_of_all():
    rules = Search(START, END, (START, NEVER), beams=200, longest=4, length_power=0.0)
    speaker = Bigrams(photos=3)
    found = speaker.write(rules)

    choices = range(3, WORDS)
    for photo, sentences in enumerate(found):
        every = itertools.chain.from_iterable(
            itertools.product(choices, repeat=length) for length in range(1, 4)
        )
        best = max(filter(allowed, every), key=lambda words: speaker.log_probability(photo, words))
        assert sentences[0].words == best


def test_the_log_probability_is_that_of_the_words_and_the_end():
    speaker = Bigrams(photos=4)

    for photo, sentences in enumerate(speaker.write()):
        for sentence in sentences:
            assert sentence.tokens == len(sentence.words) + 1
            assert sentence.log_probability == pytest.approx(
                speaker.log_probability(photo, sentence.words), abs=1e-5
            )


def test_a_photo_is_written_about_alike_alone_and_among_others():
    together = Bigrams(photos=20, seed=3)

    for photo, sentences in enumerate(together.write()):
        alone = Bigrams(photos=20, seed=3)
        alone.scores = alone.scores[photo : photo + 1]
        assert alone.write() == (sentences,)


def test_no_sentence_holds_a_forbidden_word_or_the_same_word_twice_running():
    for sentences in Bigrams(photos=50, seed=1).write():
        for sentence in sentences:
            assert not {START, NEVER, END} & set(sentence.words)
            assert allowed(sentence.words)


def test_sentences_differ_and_come_best_first_for_their_length():
    for sentences in Bigrams(photos=50, seed=2).write():
        scores = [s.log_probability / s.tokens**RULES.length_power for s in sentences]
        assert scores == sorted(scores, reverse=True)
        assert len({s.words for s in sentences}) == len(sentences) <= RULES.beams


def test_a_photo_whose_sentences_have_ended_costs_no_further_step():
    speaker = Bigrams(photos=2)
    speaker.scores[0, :, END] = math.log(0.9)
    speaker.scores[1, :, END] = -30.0
    speaker.write()

    photos = [seen for seen, _, _ in speaker.seen]
    assert photos[0] == (0, 1)
    assert photos[-1] == (1,)
    assert len(photos) == RULES.longest


def test_a_sentence_that_does_not_end_in_time_is_cut():
    (sentences,) = Bigrams(photos=1, end=-50.0).write()

    assert len(sentences) == 1
    assert len(sentences[0].words) == sentences[0].tokens == RULES.longest


def test_no_sentence_is_empty():
    for sentences in Bigrams(photos=20, end=8.0).write():
        assert all(sentence.words for sentence in sentences)


def test_each_beam_keeps_its_own_state():
    speaker = Bigrams(photos=5, seed=4)
    speaker.write()

    # The state sums the words fed so far: it must fit the words that lead to each beam.
    for (_, words, before), (photos, _, after) in itertools.pairwise(speaker.seen):
        if len(photos) == len(words):
            sums = {round(float(v)) for v in (before[..., 0] + words).ravel()}
            assert {round(float(v)) for v in after.ravel()} <= sums


def test_no_photos_give_no_sentences():
    speaker = Bigrams(photos=1)
    empty = (np.zeros((0, RULES.beams, 1), np.float32),)

    assert search(speaker, empty, RULES) == ()
    assert not speaker.seen
