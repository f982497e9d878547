"""Whether sentences are well formed, whatever they say."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from training.caption_scores import Words

# Words that no English sentence ends in.
_OPEN: Final = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "or",
        "of",
        "in",
        "on",
        "at",
        "with",
        "to",
        "from",
        "into",
        "by",
        "for",
        "while",
        "is",
        "are",
        "his",
        "her",
        "their",
        "its",
    ]
)
_LONG: Final = 3  # words that are said twice in a row of them only by mistake


@dataclass(frozen=True, slots=True)
class Form:
    """Shares of sentences that have each fault, in [0, 1]."""

    repeats: float  # says a word twice in a row, or the same three words twice
    unfinished: float  # ends in a word like "a" or "with", or was cut off
    twice: float  # names the same thing on both sides of "and" or "with": "a man and a man"

    @property
    def faulty(self) -> float:
        """At most this share has any of the faults."""
        return self.repeats + self.unfinished + self.twice


def form(sentences: Sequence[Words], cut: Sequence[bool]) -> Form:
    """Counts faults; `cut` says which sentences were ended by their length."""
    count = len(sentences)
    return Form(
        repeats=sum(map(_repeats, sentences)) / count,
        unfinished=sum(
            short or not words or words[-1] in _OPEN
            for words, short in zip(sentences, cut, strict=True)
        )
        / count,
        twice=sum(map(_names_twice, sentences)) / count,
    )


def _repeats(words: Words) -> bool:
    if any(one == other for one, other in pairwise(words)):
        return True
    runs = [tuple(words[at : at + _LONG]) for at in range(len(words) - _LONG + 1)]
    return len(set(runs)) < len(runs)


def _names_twice(words: Words) -> bool:
    return any(
        words[at] in ("and", "with") and words[at - 2 : at] == words[at + 1 : at + 3]
        for at in range(2, len(words) - 2)
    )
