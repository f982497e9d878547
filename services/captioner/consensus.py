"""How much each of several sentences about a photo agrees with the others.

What most of them say is likelier to be right than what one of them adds. So choosing the one that
the others agree with lowers the expected error (minimum Bayes risk; Kumar and Byrne, 2004).
"""

from collections import Counter
from collections.abc import Sequence
from math import sqrt
from typing import Final, TypeAlias

ORDERS: Final = 3  # words, pairs and triples of words are compared

_Grams: TypeAlias = tuple[Counter[tuple[int, ...]], ...]


def agreements(sentences: Sequence[tuple[int, ...]]) -> tuple[float, ...]:
    """For each sentence the mean share of words, pairs and triples it has in common with another.

    In [0, 1]; 0 for a sentence that is alone.
    """
    grams = [_grams(sentence) for sentence in sentences]
    sums = [0.0] * len(sentences)
    for place, one in enumerate(grams):
        for before in range(place):
            shared = _shared(one, grams[before])
            sums[place] += shared
            sums[before] += shared
    return tuple(total / max(1, len(sentences) - 1) for total in sums)


def _grams(sentence: tuple[int, ...]) -> _Grams:
    return tuple(
        Counter(zip(*(sentence[shift:] for shift in range(order)), strict=False))
        for order in range(1, ORDERS + 1)
    )


def _shared(one: _Grams, other: _Grams) -> float:
    total = 0.0
    for mine, theirs in zip(one, other, strict=True):
        if mine and theirs:
            total += (mine & theirs).total() / sqrt(mine.total() * theirs.total())
    return total / ORDERS
