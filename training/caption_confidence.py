"""A caption's confidence: how likely people would put it much as it does.

A sentence is called close if its CIDEr-D against people's sentences about the photo is at least
what half of people's own sentences reach against the others'. That is about wording: a close
sentence can be wrong in a detail, and a true one can be put as nobody did.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.captioner.model import Candidate
from services.manifest import Calibration
from training.bootstrap import Estimate, Floats, estimates, reflected
from training.calibration import (
    Bin,
    brier_skill,
    calibrated,
    calibration_error,
    error_by_chance,
    platt,
    reliability,
)
from training.caption_scores import CiderD


@dataclass(frozen=True, slots=True, eq=False)
class Confidence:
    """How far a caption's probability tells good ones from others."""

    sureness: Floats  # of each sentence, its mean log-probability per token
    surer: Estimate  # CIDEr-D of the half with the higher log-probability per token
    others: Estimate
    gap: Estimate  # between the two
    close: float  # share of sentences that are close
    error: Estimate  # expected calibration error
    error_by_chance: float  # that perfect confidences of that number would show
    skill: Estimate  # Brier skill
    bins: tuple[Bin, ...]


def bar(cider: CiderD, photos: int) -> float:
    """The CIDEr-D that half of people's sentences reach against the others'."""
    return float(
        np.median([score for photo in range(photos) for score in cider.among_people(photo)])
    )


def sureness(candidates: Sequence[Candidate]) -> Floats:
    """Mean log-probability per token."""
    return np.array([one.log_probability / one.tokens for one in candidates])


def fit(candidates: Sequence[Candidate], scores: Floats, least: float) -> Calibration:
    """From mean log-probability to the probability of a CIDEr-D of at least `least`."""
    return platt(sureness(candidates), scores >= least)


def judged(
    candidates: Sequence[Candidate], scores: Floats, least: float, fitted: Calibration
) -> Confidence:
    """Measures the confidence of sentences whose CIDEr-D is known."""
    logits = sureness(candidates)
    said, close = calibrated(logits, fitted), scores >= least
    sure = np.zeros(len(scores), bool)
    sure[np.argsort(-logits, kind="stable")[: len(scores) // 2]] = True

    def figures(times: Floats) -> Floats:
        surer = (times * sure) @ scores / (times @ sure)
        others = (times * ~sure) @ scores / (times @ ~sure)
        error = calibration_error(said, close, times)
        return np.array([surer, others, surer - others, error, brier_skill(said, close, times)])

    surer, others, gap, error, skill = estimates(figures, len(scores))
    return Confidence(
        sureness=logits,
        surer=surer,
        others=others,
        gap=gap,
        close=float(close.mean()),
        error=reflected(error),
        error_by_chance=error_by_chance(said),
        skill=skill,
        bins=reliability(said, close),
    )
