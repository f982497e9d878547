"""Flickr8k as pairs of a photo and its sentences, and the vocabulary made from them."""

import csv
import io
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]

SIDE = 224  # pixels: every photo of the set was squashed to this square, aspect lost
LEAST = 4  # times a word occurs before it is learnt

END, START, UNKNOWN = 0, 1, 2  # END is also what fills up a row after a sentence
MARKS = ("<end>", "<start>", "<unknown>")

_PARTED = re.compile(r"[^a-z0-9' -]|(?<=[a-z0-9])(?='s\b)")


@dataclass(frozen=True, slots=True)
class Captioned:
    """A photo by name, with what people wrote about it: words in lower case, no punctuation."""

    photo: str
    sentences: tuple[tuple[str, ...], ...]


def words_of(sentence: str) -> tuple[str, ...]:
    """Lower-case words; a hyphen stays only inside of one (`t-shirt`), `'s` is one by itself."""
    words = (word.strip("-") for word in _PARTED.sub(" ", sentence.lower()).split())
    return tuple(word for word in words if word.strip("'"))


def read_split(root: Path, split: str) -> tuple[Captioned, ...]:
    """Reads `captions/captions-SPLIT.csv` (columns image, caption), sorted by photo name."""
    sentences: defaultdict[str, list[tuple[str, ...]]] = defaultdict(list)
    with (root / "captions" / f"captions-{split}.csv").open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            sentences[row["image"]].append(words_of(row["caption"]))
    return tuple(Captioned(photo, tuple(sentences[photo])) for photo in sorted(sentences))


def read_photos(root: Path, split: str, names: Iterable[str]) -> Iterator[NDArray[np.uint8]]:
    """Yields photos (SIDE, SIDE, 3), RGB, in the order of `names`.

    Raises KeyError for a name that none of the split's containers has.
    """
    containers = [
        zipfile.ZipFile(path) for path in sorted((root / "captions").glob(f"{split}-*.zip"))
    ]
    try:
        home = {
            Path(member).name: (container, member)
            for container in containers
            for member in container.namelist()
        }
        for name in names:
            container, member = home[name]
            with Image.open(io.BytesIO(container.read(member))) as photo:
                yield np.asarray(photo.convert("RGB").resize((SIDE, SIDE)))
    finally:
        for container in containers:
            container.close()


class Vocabulary:
    """Words and their numbers; the first three numbers are END, START and UNKNOWN."""

    def __init__(self, words: Sequence[str]) -> None:
        if tuple(words[: len(MARKS)]) != MARKS:
            raise ValueError(f"a vocabulary begins with {', '.join(MARKS)}")
        self.words = tuple(words)
        self._numbers = {word: number for number, word in enumerate(words)}

    @classmethod
    def of(cls, photos: Iterable[Captioned], least: int) -> "Vocabulary":
        """The words that occur at least `least` times in all sentences, most frequent first."""
        counts = Counter(
            word for photo in photos for sentence in photo.sentences for word in sentence
        )
        ordered = sorted(counts, key=lambda word: (-counts[word], word))
        return cls((*MARKS, *(word for word in ordered if counts[word] >= least)))

    @classmethod
    def read(cls, path: Path) -> "Vocabulary":
        """Reads a file with one word per line."""
        return cls(path.read_text(encoding="utf-8").splitlines())

    def joined(self, other: "Vocabulary") -> "Vocabulary":
        """These words with their numbers, and behind them those that only the other has."""
        return Vocabulary((*self.words, *(w for w in other.words if w not in self._numbers)))

    def write(self, path: Path) -> None:
        """Writes one word per line."""
        path.write_text("".join(f"{word}\n" for word in self.words), encoding="utf-8")

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, sentence: Iterable[str], length: int) -> NDArray[np.int32]:
        """Numbers of a sentence, cut or filled up with END to `length`."""
        numbers = [self._numbers.get(word, UNKNOWN) for word in sentence][:length]
        return np.array(numbers + [END] * (length - len(numbers)), np.int32)

    def decode(self, numbers: Iterable[int]) -> tuple[str, ...]:
        """The words before the first END."""
        words = []
        for number in numbers:
            if number == END:
                break
            words.append(self.words[number])
        return tuple(words)
