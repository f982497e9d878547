"""What a detector's scores mean, and from which score on a box is answered.

Few photos have boxes that people drew: most labels have less than ten. So labels share what they
cannot have each for itself. One calibration serves all. A label with many boxes has a threshold of
its own, the others one together; a label is never answered that the photos speak against.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.manifest import Calibration
from services.schema import REST
from services.thresholds import Band, Policy, ThresholdSet
from training.bootstrap import Floats
from training.bootstrap_boxes import matches
from training.calibration import calibrated, logits_of, platt, platt_by_label
from training.detection import Found
from training.precision import Scored, lower_bound
from training.ranking import Truth
from training.threshold_fit import FitPolicy, fit_band

OWN_BOXES: Final = 50  # drawn boxes of a label, for a threshold of its own
LIKELY: Final = 0.5  # a score from which a box is more likely right than wrong

_FOLDS: Final = 6
_OWN_FIT: Final = (
    20  # right and wrong boxes of a label, for a calibration of its own, which is tried
)


@dataclass(frozen=True, slots=True, eq=False)
class Guesses:
    """Every box that a detector found, and whether it finds one that people drew (IoU 0.5)."""

    labels: NDArray[np.intp]
    photos: NDArray[np.intp]
    scores: Floats
    right: Truth
    drawn: Mapping[int, int]  # boxes by label
    count: int  # photos

    def of(self, chosen: Truth) -> Guesses:
        """Some of the boxes."""
        return replace(
            self,
            labels=self.labels[chosen],
            photos=self.photos[chosen],
            scores=self.scores[chosen],
            right=self.right[chosen],
        )

    def rescored(self, fit: Calibration) -> Guesses:
        """The same boxes with calibrated scores."""
        return replace(self, scores=calibrated(logits_of(self.scores), fit))

    def scored(self, chosen: Truth, labels: frozenset[int]) -> Scored:
        """Some of the boxes for a threshold; `labels` are those whose drawn boxes count."""
        right = self.right[chosen]
        count = sum(number for label, number in self.drawn.items() if label in labels)
        return Scored(self.scores[chosen], right, count - int(right.sum()))


def guesses(found: Found) -> Guesses:
    """The boxes found, label by label; ValueError if none was found and none drawn."""
    present = {int(one) for boxes in (*found.predicted, *found.true) for one in boxes.labels}
    if not present:
        raise ValueError("no box of the model's labels was drawn, and none found")
    by_label = {one: matches(found.predicted, found.true, one, 1) for one in sorted(present)}
    return Guesses(
        labels=np.concatenate([np.full(len(m.scores), one) for one, m in by_label.items()]),
        photos=np.concatenate([one.photos for one in by_label.values()]),
        scores=np.concatenate([one.scores for one in by_label.values()]),
        right=np.concatenate([one.hits[0] for one in by_label.values()]),
        drawn={one: int(m.drawn.sum()) for one, m in by_label.items()},
        count=len(found),
    )


def calibrate(raw: Guesses) -> Calibration:
    """One fit for the scores of all labels."""
    return platt(logits_of(raw.scores), raw.right)


def thresholds(
    known: Guesses, label_ids: tuple[str, ...], policy: FitPolicy, dataset: str, split: str
) -> ThresholdSet:
    """Fits bands to calibrated guesses.

    Below `LIKELY` a box is absent: most boxes that a network finds are wrong, so "absent" is right
    nine times in ten up to scores that are better than even.
    """
    own = frozenset(one for one, count in known.drawn.items() if count >= OWN_BOXES)
    others = ~np.isin(known.labels, list(own))
    bands = {
        label_ids[one]: _band(known.scored(known.labels == one, frozenset([one])), policy)
        for one in sorted(own)
    }
    rest = _band(known.scored(others, frozenset(known.drawn) - own), policy)
    bands |= {
        label_ids[one]: Band(present=None, absent=LIKELY)
        for one in sorted(known.drawn.keys() - own)
        if rest.present is not None and _contradicted(known, one, rest.present, policy)
    }
    return ThresholdSet(
        policy=Policy(
            name=policy.name,
            target_precision=policy.target_precision,
            dataset=dataset,
            split=split,
            count=known.count,
        ),
        labels=bands | {REST: rest},
    )


def log_losses(raw: Guesses) -> dict[str, float]:
    """How well each way of calibrating tells what it has not seen: mean loss over parts of photos.

    Less is better.
    """
    ways: dict[str, Callable[[Guesses, Guesses], Floats]] = {
        "as they are": lambda _, unseen: unseen.scores,
        "one fit for all labels": lambda seen, unseen: unseen.rescored(calibrate(seen)).scores,
        f"own fits from {_OWN_FIT} boxes on": _by_label,
    }
    parts = [raw.photos % _FOLDS == part for part in range(_FOLDS)]
    return {
        name: sum(_loss(way(raw.of(~part), raw.of(part)), raw.right[part]) for part in parts)
        / len(raw.right)
        for name, way in ways.items()
    }


def _band(scored: Scored, policy: FitPolicy) -> Band:
    fitted = fit_band(scored, policy)
    absent = LIKELY if fitted.present is None else min(LIKELY, fitted.present)
    return Band(present=fitted.present, absent=absent, when_present=fitted.when_present)


def _contradicted(known: Guesses, label: int, present: float, policy: FitPolicy) -> bool:
    """Whether a label's own boxes speak against answering it like the others.

    They do if so many answers would be wrong that the target is missed with 95 % confidence, or if
    many boxes were drawn and no likely one found.
    """
    mine = known.labels == label
    answered = mine & (known.scores >= present)
    wrong, count = int((~known.right[answered]).sum()), int(answered.sum())
    if count and lower_bound(wrong, count) > 1 - policy.target_precision:
        return True
    likely = known.right[mine & (known.scores >= LIKELY)]
    return known.drawn[label] >= policy.least_positives and not likely.any()


def _by_label(seen: Guesses, unseen: Guesses) -> Floats:
    logits = logits_of(seen.scores)
    fits, _ = platt_by_label(
        {
            str(label): (logits[seen.labels == label], seen.right[seen.labels == label])
            for label in np.unique(seen.labels)
        },
        _OWN_FIT,
    )
    together = calibrate(seen)
    scores = np.empty(len(unseen.scores))
    for label in np.unique(unseen.labels):
        mine = unseen.labels == label
        scores[mine] = calibrated(logits_of(unseen.scores[mine]), fits.get(str(label), together))
    return scores


def _loss(scores: Floats, right: Truth) -> float:
    inside = np.clip(scores, 1e-7, 1 - 1e-7)
    return -float(np.where(right, np.log(inside), np.log1p(-inside)).sum())
