"""How far sentences agree, and that the one most agreed with comes first."""

import pytest

from services.captioner.consensus import agreements

DOG = (5, 6, 7, 8)  # a dog runs outside
DOG_TOO = (5, 6, 7, 9)
CAT = (10, 11, 12, 13)


def test_sentences_that_say_the_same_agree_wholly():
    assert agreements((DOG, DOG)) == pytest.approx((1, 1))


def test_sentences_without_a_word_in_common_do_not_agree():
    assert agreements((DOG, CAT)) == (0, 0)


def test_the_odd_one_out_is_agreed_with_least():
    one, other, odd = agreements((DOG, DOG_TOO, CAT))

    assert one == other > odd == 0


def test_the_order_of_words_counts():
    straight, _ = agreements((DOG, DOG_TOO))
    turned, _ = agreements((DOG, DOG_TOO[::-1]))

    assert straight > turned > 0


def test_a_word_said_twice_is_shared_once_with_a_sentence_that_says_it_once():
    once, _ = agreements(((5,), (5, 5)))

    assert 0 < once < 1


def test_a_sentence_that_is_alone_agrees_with_none():
    assert agreements((DOG,)) == (0,)
    assert agreements(()) == ()
