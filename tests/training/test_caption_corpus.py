"""Sentences by people, as words and as numbers."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from training.caption_corpus import (
    END,
    MARKS,
    UNKNOWN,
    Captioned,
    Vocabulary,
    read_photos,
    read_split,
    words_of,
)

CORPUS = (
    Captioned("a.jpg", (("a", "dog", "runs"), ("the", "dog"))),
    Captioned("b.jpg", (("a", "cat"), ("a", "dog", "sits"))),
)


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("A child in a pink dress .", ("a", "child", "in", "a", "pink", "dress")),
        ("Two dogs, one red; both wet!", ("two", "dogs", "one", "red", "both", "wet")),
        ("A man's t-shirt - blue", ("a", "man", "'s", "t-shirt", "blue")),
        ("A man 's t-shirt - blue", ("a", "man", "'s", "t-shirt", "blue")),
        ('" Stop " , says a sign .', ("stop", "says", "a", "sign")),
        ("  ", ()),
    ],
)
def test_words_are_lower_case_and_without_punctuation(sentence, words):
    assert words_of(sentence) == words


def test_a_vocabulary_holds_words_that_occur_often_enough_the_most_frequent_first():
    assert Vocabulary.of(CORPUS, least=2).words == (*MARKS, "a", "dog")


def test_a_sentence_survives_being_written_as_numbers():
    vocabulary = Vocabulary.of(CORPUS, least=1)

    numbers = vocabulary.encode(("a", "dog", "runs"), length=6)

    assert numbers.tolist()[3:] == [END] * 3
    assert vocabulary.decode(numbers) == ("a", "dog", "runs")


def test_a_word_that_is_not_in_the_vocabulary_is_unknown():
    assert Vocabulary.of(CORPUS, least=2).encode(("a", "zebra"), 2).tolist() == [3, UNKNOWN]


def test_joined_vocabularies_keep_the_numbers_of_the_first():
    first, second = Vocabulary((*MARKS, "a", "dog")), Vocabulary((*MARKS, "forklift", "a"))

    assert first.joined(second).words == (*MARKS, "a", "dog", "forklift")


def test_a_vocabulary_survives_being_written(tmp_path):
    vocabulary = Vocabulary.of(CORPUS, least=1)
    vocabulary.write(tmp_path / "words.txt")

    assert Vocabulary.read(tmp_path / "words.txt").words == vocabulary.words


def test_a_file_that_is_no_vocabulary_is_refused(tmp_path):
    (tmp_path / "words.txt").write_text("a\ndog\n")

    with pytest.raises(ValueError, match="<end>"):
        Vocabulary.read(tmp_path / "words.txt")


def test_photos_come_from_whichever_container_has_them(tmp_path):
    folder = tmp_path / "captions"
    folder.mkdir()
    for number, shade in enumerate((10, 200)):
        Image.new("RGB", (30, 20), (shade,) * 3).save(tmp_path / "photo.png")
        with zipfile.ZipFile(folder / f"val-{number:03}.zip", "w") as container:
            container.write(tmp_path / "photo.png", f"{number}.png")
    (folder / "captions-val.csv").write_text("image,caption\n1.png,A dog .\n0.png,B\n1.png,C\n")

    split = read_split(tmp_path, "val")
    photos = list(read_photos(tmp_path, "val", ["1.png", "0.png"]))

    assert split == (Captioned("0.png", (("b",),)), Captioned("1.png", (("a", "dog"), ("c",))))
    assert [photo.shape for photo in photos] == [(224, 224, 3)] * 2
    assert [int(np.mean(photo)) for photo in photos] == [200, 10]
