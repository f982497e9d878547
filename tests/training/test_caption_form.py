"""Faults of form are counted, and nothing else is."""

import pytest

from training.caption_form import form


def found(sentence, cut=False):
    one = form([sentence.split()], [cut])
    return one.repeats, one.unfinished, one.twice


@pytest.mark.parametrize(
    ("sentence", "faults"),
    [
        ("a dog runs through the grass", (0, 0, 0)),
        ("a a dog runs", (1, 0, 0)),
        ("in the grass a dog in the grass", (1, 0, 0)),
        ("a dog runs through the", (0, 1, 0)),
        ("a woman and a woman pose", (0, 0, 1)),
        ("a woman and a man pose", (0, 0, 0)),
        ("a dog with a dog", (0, 0, 1)),
    ],
    ids=str,
)
def test_a_sentence_has_the_faults_that_it_has(sentence, faults):
    assert found(sentence) == faults


def test_a_sentence_that_was_cut_off_is_unfinished():
    assert found("a dog runs through grass", cut=True) == (0, 1, 0)


def test_faults_are_shares_of_all_sentences():
    assert form([["a", "a"], ["dogs", "run"]], [False, False]).repeats == 0.5
