"""How right a network is, by which of the labels are believed."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from training.bootstrap import Estimate, estimate, mean_of
from training.faces_reviewed import Review, reviewed_labels
from training.review_selection import DISAGREEMENT, RANDOM, THRESHOLD


def accuracies(
    labels: Mapping[str, bool], reviews: Sequence[Review], scores: Mapping[str, float]
) -> Iterator[tuple[str, int, Estimate]]:
    """What the labels are, how many faces they tell of, and the accuracy at THRESHOLD by them."""
    disputed = [review for review in reviews if {DISAGREEMENT, RANDOM} & set(review.reasons)]
    seen = reviewed_labels(labels, reviews)
    copies = {
        "as labelled": labels,
        "corrected where a network disagrees, or by chance": reviewed_labels(labels, disputed),
        "corrected wherever looked at": seen,
        "corrected wherever looked at, unclear ones as labelled": {**labels, **seen},
    }
    for name, told in copies.items():
        right = np.array([(scores[file] >= THRESHOLD) == smiles for file, smiles in told.items()])
        yield name, len(right), estimate(mean_of(right), len(right))
