"""What to teach of each face: its labels, and what two networks say of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.faces_data import LABELS, UNKNOWN, Faces
from training.faces_folds import unseen_scores

BELIEF: Final = 0.3  # in the networks, against the label, where the label seems right
_SMILING: Final = LABELS.index("smiling")
_GUESSED: Final = ("smiling", "eyeglasses")  # where blank, of sources framed and coloured alike:
_ALIKE: Final = ("celeba", "muxspace")


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Train's faces with the probabilities of networks that have not seen them."""

    faces: Faces
    scores: NDArray[np.float32]  # (faces, labels)
    doubted: NDArray[np.bool_]  # (faces,): the label of smiling is likely to be wrong

    def targets(self, belief: float = BELIEF, *, cleaned: bool = True) -> NDArray[np.float32]:
        """Labels and scores mixed; scores alone where a label is doubted or blank."""
        labels = self.faces.labels.astype(np.float32)
        targets = labels.copy()
        smiles, scores = labels[:, _SMILING], self.scores[:, _SMILING]
        mixed = (1 - belief) * smiles + belief * scores
        if cleaned:
            mixed = np.where(self.doubted, scores, mixed)
        targets[:, _SMILING] = np.where(smiles == UNKNOWN, UNKNOWN, mixed)
        for column in map(LABELS.index, _GUESSED if belief else ()):
            blank = np.isin(self.faces.sources, _ALIKE) & (labels[:, column] == UNKNOWN)
            targets[blank, column] = self.scores[blank, column]
        return targets


def lesson(faces: Faces, work: Path) -> Lesson:
    """What the networks of both halves say of train's faces."""
    scores = unseen_scores(faces, work)
    return Lesson(faces, scores, doubted(faces, scores[:, _SMILING]))


def doubted(faces: Faces, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Confident learning (Northcutt et al., 2021) on smiling, source by source.

    A label is doubted if the score of the other answer is at least what faces of that answer
    have on average.
    """
    labels = faces.labels[:, _SMILING]
    wrong = np.zeros(len(labels), np.bool_)
    for source in sorted(set(faces.sources)):
        here = np.array(faces.sources) == source
        smiling, neutral = here & (labels == 1), here & (labels == 0)
        if smiling.any() and neutral.any():
            wrong |= neutral & (scores >= scores[smiling].mean())
            wrong |= smiling & (scores <= scores[neutral].mean())
    return wrong
