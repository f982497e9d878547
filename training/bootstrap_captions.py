"""Caption figures in a form that bootstrap samples of photos can be drawn of cheaply."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.bootstrap import Floats, Measures
from training.caption_scores import ORDERS, CiderD, Words, bleu_counts, bleu_of


def caption_measures(
    candidates: Sequence[Words], references: Sequence[Sequence[Words]], cider: CiderD | None = None
) -> Measures:
    """BLEU-1 to BLEU-4 and CIDEr-D of one candidate per photo; the last of them CIDEr-D.

    CIDEr-D keeps the document frequencies of all references in every sample: they belong to the
    measure, not to the photos drawn. `cider` spares making them anew for a second model.
    """
    counts = np.array(
        [bleu_counts(*pair) for pair in zip(candidates, references, strict=True)], np.float64
    )
    judge = cider or CiderD(references)
    scores = np.array([judge.score(words, photo) for photo, words in enumerate(candidates)])

    def measures(times: Floats) -> Floats:
        return np.array([*bleu_of(times @ counts), times @ scores / times.sum()])

    return measures


CAPTION_FIGURES = (*(f"BLEU-{order + 1}" for order in range(ORDERS)), "CIDEr-D")
