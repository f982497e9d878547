"""Quality of one label's scores: ranking, decisions, calibration, each with how sure it is."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.thresholds import Band
from training.bootstrap import Estimate, Floats, estimates, reflected
from training.calibration import brier_skill, calibration_error, error_by_chance
from training.precision import Scored
from training.ranking import Ranking, Truth

EVEN: Final = 0.5  # a calibrated score at which both answers are as likely
LEAST_PRECISION: Final = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """One label on one split; rates in [0, 1]."""

    scored: Scored
    accuracy: Estimate  # at an even score
    auc: Estimate  # area under the ROC curve
    average_precision: Estimate
    recall_at_precision: Estimate  # at the best threshold with the least precision wanted
    calibration_error: Estimate  # expected, over bins of equally many scores above 0.05
    error_by_chance: float  # what perfect scores of that number would show on average
    brier_skill: Estimate
    present: tuple[float, float]  # precision and recall of what is decided to be present
    absent: tuple[float, float]  # likewise
    uncertain: float  # share of the faces about which nothing is decided

    @property
    def count(self) -> int:
        """Faces whose label is known."""
        return len(self.scored.truth)


def quality(scores: Floats, truth: Truth, band: Band) -> Quality:
    """Measures calibrated scores of faces whose label is known; both kinds must occur."""
    ranking = Ranking(scores, truth)

    def figures(times: Floats) -> Floats:
        return np.array(
            [
                ranking.accuracy(times, EVEN),
                ranking.auc(times),
                ranking.average_precision(times),
                ranking.recall_at_precision(times, LEAST_PRECISION),
                calibration_error(scores, truth, times),
                brier_skill(scores, truth, times),
            ]
        )

    present = np.zeros(len(scores), bool) if band.present is None else scores >= band.present
    absent = scores < band.absent
    accuracy, auc, average_precision, recall, error, skill = estimates(figures, len(truth))
    return Quality(
        scored=Scored(scores, truth),
        accuracy=accuracy,
        auc=auc,
        average_precision=average_precision,
        recall_at_precision=recall,
        calibration_error=reflected(error),
        error_by_chance=error_by_chance(scores),
        brier_skill=skill,
        present=_precision_and_recall(present, truth),
        absent=_precision_and_recall(absent, ~truth),
        uncertain=float((~present & ~absent).mean()),
    )


def _precision_and_recall(decided: Truth, right: Truth) -> tuple[float, float]:
    found = int((decided & right).sum())
    return found / max(1, int(decided.sum())), found / max(1, int(right.sum()))
