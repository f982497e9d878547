"""Smiles looked at: the reviewed labels kept in training/labels, and figures by them.

A face looked at twice and judged differently counts as unclear. Faces that nobody looked at keep
the label they came with.
"""

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

FOLDER: Final = Path(__file__).parent / "labels"
SMILING: Final = "smiling"
NEUTRAL: Final = "neutral"
UNCLEAR: Final = "unclear"
JUDGEMENTS: Final = (SMILING, NEUTRAL, UNCLEAR)

_FIELDS: Final = ("file", "first", "second", "reasons")
_DEVIATE: Final = 1.959964  # of the normal distribution, for 95 %


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewer saw in one face, and why it was looked at."""

    file: str
    first: str  # one of JUDGEMENTS
    second: str  # likewise; empty for a face looked at once
    reasons: tuple[str, ...]

    @property
    def smiles(self) -> bool | None:
        """Whether the face smiles; None if that cannot be told."""
        if UNCLEAR in (self.first, self.second) or self.second not in ("", self.first):
            return None
        return self.first == SMILING


@dataclass(frozen=True, slots=True)
class Tally:
    """How reviewed faces compare with their labels."""

    faces: int
    agreed: int
    to_neutral: int  # labelled smiling
    to_smiling: int  # labelled otherwise
    unclear: int
    auc: float  # by the labels, of a score that is what was seen, unclear in the middle

    @property
    def wrong(self) -> float:
        """Share of wrong labels among the faces that can be told, in [0, 1]."""
        return (self.to_neutral + self.to_smiling) / max(1, self.faces - self.unclear)

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of that share."""
        return wilson(self.to_neutral + self.to_smiling, self.faces - self.unclear)


def tally(reviews: Collection[Review], labels: Mapping[str, bool]) -> Tally:
    """Counts reviewed faces against the labels they came with."""
    told = [(review.smiles, labels[review.file]) for review in reviews]
    return Tally(
        faces=len(told),
        agreed=sum(smiles == label for smiles, label in told),
        to_neutral=sum(smiles is False and label for smiles, label in told),
        to_smiling=sum(smiles is True and not label for smiles, label in told),
        unclear=sum(smiles is None for smiles, _ in told),
        auc=_auc(told),
    )


def reviewed_labels(labels: Mapping[str, bool], reviews: Collection[Review]) -> Mapping[str, bool]:
    """The labels with what was seen in place of what was said; unclear faces left out."""
    seen = {review.file: review.smiles for review in reviews}
    told = {file: seen.get(file, label) for file, label in labels.items()}
    return {file: smiles for file, smiles in told.items() if smiles is not None}


def read_reviews(split: str, folder: Path = FOLDER) -> tuple[Review, ...]:
    """The reviewed smiles of a split; none if it was not reviewed."""
    path = _path(split, folder)
    if not path.exists():
        return ()
    with path.open(newline="") as file:
        return tuple(
            Review(row["file"], row["first"], row["second"], tuple(row["reasons"].split()))
            for row in csv.DictReader(file)
        )


def write_reviews(reviews: Sequence[Review], split: str, folder: Path = FOLDER) -> Path:
    """Writes names, judgements and reasons, sorted by name."""
    path = _path(split, folder)
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_FIELDS)
        for review in sorted(reviews, key=lambda review: review.file):
            writer.writerow((review.file, review.first, review.second, " ".join(review.reasons)))
    return path


def wilson(count: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of independent cases."""
    if not of:
        return 0.0, 1.0
    share, weight = count / of, _DEVIATE**2 / of
    middle = (share + weight / 2) / (1 + weight)
    reach = _DEVIATE * np.sqrt(share * (1 - share) / of + weight / of / 4) / (1 + weight)
    return float(max(0.0, middle - reach)), float(min(1.0, middle + reach))


def _auc(told: Sequence[tuple[bool | None, bool]]) -> float:
    """How often a face labelled smiling is seen to smile more than another; half for equals."""
    seen = {True: 1.0, None: 0.5, False: 0.0}
    smiling = np.array([seen[smiles] for smiles, label in told if label])
    other = np.array([seen[smiles] for smiles, label in told if not label])
    if not len(smiling) or not len(other):
        return 0.5
    return float((np.sign(smiling[:, None] - other) / 2 + 0.5).mean())


def _path(split: str, folder: Path) -> Path:
    return folder / f"smiling-{split}-reviewed.csv"
