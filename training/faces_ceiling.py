"""How far labels with errors let anybody get: the reviewer's eye and the network's score as one."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import Floats
from training.calibration import sigmoid
from training.faces_calibration import logistic, parts
from training.faces_data import UNKNOWN, Faces
from training.faces_reviewed import read_reviews
from training.faces_truth import SMILING
from training.ranking import Ranking

_SEEN: Final = (True, None, False)  # smiling, cannot be told, neutral
_BELIEF: Final = 0.1  # precision of the belief that a weight is near 0: hardly any


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Figures by the labels that came, of faces that were looked at again."""

    accuracy: float
    auc: float


def ceiling(logits: NDArray[np.floating], given: Faces, split: str) -> Ceiling | None:
    """What both together reach, fitted to these very labels, face by face on others.

    None for a split that was not looked at.
    """
    seen = {review.file: review.smiles for review in read_reviews(split)}
    known = [
        place
        for place, name in enumerate(given.names)
        if name in seen and given.labels[place, SMILING] != UNKNOWN
    ]
    if not known:
        return None
    truth = given.labels[known, SMILING] == 1
    classes = [[seen[given.names[place]] is kind for place in known] for kind in _SEEN]
    inputs = np.array([*classes, logits[known, SMILING]], np.float64)
    scores = _unseen(inputs, truth)
    ranking, ones = Ranking(scores, truth), np.ones(len(truth))
    return Ceiling(ranking.accuracy(ones, 0.5), ranking.auc(ones))


def _unseen(inputs: Floats, truth: NDArray[np.bool_]) -> Floats:
    """Probabilities of the label by fits to other faces; means over repeats."""
    total = np.zeros(len(truth))
    for count, part in enumerate(parts(truth), start=1):
        scores = np.empty(len(truth))
        for fold in np.unique(part):
            here = part == fold
            belief = np.full(len(inputs), _BELIEF)
            weights = logistic(inputs[:, ~here], truth[~here], np.zeros(len(inputs)), belief)
            scores[here] = sigmoid(weights @ inputs[:, here])
        total += (scores - total) / count
    return total
