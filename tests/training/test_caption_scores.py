"""The caption scores agree with pycocoevalcap's, computed once and written down here."""

import pytest

from training.caption_scores import CiderD, bleu

REFERENCES = [
    ["a dog runs on the grass", "a brown dog is running outside", "the dog plays"],
    ["two men play football on a field", "men in red shirts chase a ball", "a football game"],
    ["a girl in a pink dress", "a little girl climbs the stairs", "child on a wooden stair"],
    ["a boy jumps into a pool", "a child in blue shorts dives", "kid in the swimming pool"],
]
CANDIDATES = [
    "a dog is running on the grass",
    "two men in red shirts play football",
    "a little girl in a pink dress dress dress",
    "a man",
]


def words(sentences):
    return [sentence.split() for sentence in sentences]


@pytest.fixture
def references():
    return [words(sentences) for sentences in REFERENCES]


def test_sentences_by_people_score_one_in_bleu(references):
    assert bleu([others[0] for others in references], references) == pytest.approx((1,) * 4)


def test_a_repeated_word_is_counted_no_more_often_than_people_used_it():
    one, *_ = bleu([["the"] * 4], [[["the", "cat", "sat", "down"]]])

    assert one == pytest.approx(0.25)


def test_a_short_sentence_pays_for_its_brevity():
    one, *_ = bleu([["a", "cat"]], [[["a", "cat", "sat", "down"]]])

    assert one == pytest.approx(2.718281828 ** (1 - 4 / 2))


def test_a_sentence_about_nothing_scores_nothing(references):
    assert CiderD(references).score(["seven", "zebras"], 0) == 0


def test_cider_prefers_the_photo_that_a_sentence_is_about(references):
    cider = CiderD(references)
    scores = [cider.score(["a", "brown", "dog", "runs"], photo) for photo in range(len(references))]

    assert scores[0] == max(scores) > 0.5


def test_a_person_is_compared_with_the_others_only(references):
    alone = CiderD([[["a", "dog"]], *references[1:]])
    together = CiderD([[["a", "dog"], ["a", "dog"], ["seven", "zebras"]], *references[1:]])

    assert alone.among_people(0) == ()
    one, same, other = together.among_people(0)
    assert one == same > other == 0
