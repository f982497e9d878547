"""BLEU and CIDEr-D of sentences against people's, as pycocoevalcap computes them.

Sentences come as words, already without punctuation. Corpus BLEU (Papineni et al., 2002) with the
closest reference length; CIDEr-D (Vedantam et al., 2015) with sigma 6, clipping, and document
frequencies from the references it is made with.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Words: TypeAlias = Sequence[str]
Ngrams: TypeAlias = Counter[tuple[str, ...]]
_Vector: TypeAlias = tuple[list[dict[tuple[str, ...], float]], list[float], int]

ORDERS = 4
_SIGMA = 6.0


def bleu(candidates: Sequence[Words], references: Sequence[Sequence[Words]]) -> tuple[float, ...]:
    """BLEU-1 to BLEU-4 of a corpus, each in [0, 1]: a candidate and its references per photo."""
    counts = (bleu_counts(*pair) for pair in zip(candidates, references, strict=True))
    return bleu_of([sum(column) for column in zip(*counts, strict=True)])


def bleu_counts(candidate: Words, references: Sequence[Words]) -> tuple[int, ...]:
    """What BLEU needs of a photo, to be summed over a corpus.

    Matched n-grams by order, possible ones by order, the candidate's length and the closest
    reference's.
    """
    counts = [_ngrams(reference) for reference in references]
    matched, possible = [], []
    for order, grams in enumerate(_ngrams(candidate)):
        most: Ngrams = Counter()
        for count in counts:
            most |= count[order]
        matched.append(sum((grams & most).values()))
        possible.append(max(0, len(candidate) - order))
    wanted = min((abs(len(one) - len(candidate)), len(one)) for one in references)[1]
    return (*matched, *possible, len(candidate), wanted)


def bleu_of(sums: Sequence[float] | NDArray[np.float64]) -> tuple[float, ...]:
    """BLEU-1 to BLEU-4 from the sums of `bleu_counts` over a corpus."""
    *counts, length, wanted = (float(one) for one in sums)
    scores, product = [], 1.0
    brevity = min(1.0, math.exp(1 - wanted / max(length, 1e-9)))
    for order in range(ORDERS):
        product *= (counts[order] + 1e-15) / (counts[ORDERS + order] + 1e-9)
        scores.append(brevity * product ** (1 / (order + 1)))
    return tuple(scores)


class CiderD:
    """Scores sentences by the n-grams that they share with people's, rare ones counting more."""

    def __init__(self, references: Sequence[Sequence[Words]]) -> None:
        documents: Counter[tuple[str, ...]] = Counter()
        counted = [[_ngrams(reference) for reference in others] for others in references]
        for others in counted:
            documents.update({gram for grams in others for order in grams for gram in order})
        self._weights = {
            gram: math.log(len(references)) - math.log(count) for gram, count in documents.items()
        }
        self._unseen = math.log(len(references))
        self._references = [[self._vector(grams) for grams in others] for others in counted]

    def score(self, candidate: Words, photo: int) -> float:
        """CIDEr-D of a sentence about the photo of that position; 0 and up, 1 is as good as many.

        On pycocoevalcap's scale: 10 times the mean cosine.
        """
        return self._against(self._vector(_ngrams(candidate)), self._references[photo])

    def among_people(self, photo: int) -> tuple[float, ...]:
        """CIDEr-D of each of people's sentences about that photo against the others."""
        theirs = self._references[photo]
        return tuple(
            self._against(one, theirs[:place] + theirs[place + 1 :])
            for place, one in enumerate(theirs)
            if len(theirs) > 1
        )

    def mean(self, candidates: Iterable[Words]) -> float:
        """Mean score of one candidate for each photo, in order."""
        scores = [self.score(candidate, photo) for photo, candidate in enumerate(candidates)]
        return sum(scores) / len(scores)

    @staticmethod
    def _against(one: _Vector, others: Sequence[_Vector]) -> float:
        vector, norms, length = one
        total = 0.0
        for other, other_norms, other_length in others:
            penalty = math.exp(-((length - other_length) ** 2) / (2 * _SIGMA**2))
            for order in range(ORDERS):
                norm = norms[order] * other_norms[order]
                if norm:
                    theirs = other[order]
                    shared = sum(
                        min(weight, theirs[gram]) * theirs[gram]
                        for gram, weight in vector[order].items()
                        if gram in theirs
                    )
                    total += penalty * shared / norm
        return 10.0 * total / ORDERS / len(others)

    def _vector(self, grams: Sequence[Ngrams]) -> _Vector:
        """TF-IDF weights and their norm for each order, and the length that CIDEr-D compares."""
        vectors = [
            {gram: count * self._weights.get(gram, self._unseen) for gram, count in order.items()}
            for order in grams
        ]
        norms = [math.sqrt(sum(w * w for w in vector.values())) for vector in vectors]
        # The reference implementation measures length in bigrams.
        return vectors, norms, sum(grams[1].values())


def _ngrams(words: Words) -> list[Ngrams]:
    return [
        Counter(tuple(words[i : i + order]) for i in range(len(words) - order + 1))
        for order in range(1, ORDERS + 1)
    ]
