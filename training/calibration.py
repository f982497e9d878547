"""Makes scores mean what they say, and measures whether they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.manifest import Calibration
from training.bootstrap import Floats
from training.ranking import Truth

# Below this a label is as good as absent; most scores of rare labels lie there, and would fill all
# bins of equal mass with what nobody asks about.
FLOOR: Final = 0.05
BINS: Final = 10

_STEPS: Final = 100
_SMALL: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Bin:
    """Examples of similar scores: what was said of them, and what was true."""

    score: float  # mean
    share: float  # of positives, in [0, 1]
    count: int


def platt(logits: NDArray[np.floating], truth: Truth) -> Calibration:
    """Fits probability = sigmoid(scale * logit + offset) by maximum likelihood.

    With the targets of Platt (1999), just inside of 0 and 1, so that classes which a threshold
    separates get a finite fit; by Newton's method (Lin, Lin and Weng, 2007). Raises ValueError
    unless both kinds occur, and positives score higher: a fit never turns scores round.
    """
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        raise ValueError("calibration needs positives and negatives")
    targets = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    inputs = np.stack([logits.astype(np.float64), np.ones(len(truth))])
    weights = np.array([0.0, np.log((positives + 1) / (negatives + 1))])
    loss = _loss(weights @ inputs, targets)
    for _ in range(_STEPS):
        given = sigmoid(weights @ inputs)
        slope = inputs @ (given - targets)
        curvature = (inputs * (given * (1 - given))) @ inputs.T + _SMALL * np.eye(2)
        step = np.linalg.solve(curvature, slope)
        part = 1.0
        while (tried := _loss((weights - part * step) @ inputs, targets)) > loss and part > _SMALL:
            part /= 2
        weights = weights - part * step
        if loss - tried < 1e-10 * max(1.0, loss):
            break
        loss = tried
    scale, offset = (float(weight) for weight in weights)
    if scale <= 0:
        raise ValueError(
            "calibration needs positives that score higher than negatives: here it is the other "
            "way round, as where 1 and 0 are exchanged"
        )
    return Calibration(scale=scale, offset=offset)


def platt_of(label: str, logits: NDArray[np.floating], truth: Truth) -> Calibration:
    """`platt` of a label's examples; its ValueError names the label."""
    try:
        return platt(logits, truth)
    except ValueError as problem:
        raise ValueError(f"{label}: {problem}") from None


def platt_by_label(
    examples: Mapping[str, tuple[NDArray[np.floating], Truth]], least: int
) -> tuple[dict[str, Calibration], frozenset[str]]:
    """A fit for each label's logits, and the labels whose fit is the one of all labels together.

    These have fewer than `least` positives or negatives, too few for two numbers of their own.
    Raises ValueError, with the label, where no fit is possible.
    """
    rare = frozenset(
        label
        for label, (_, truth) in examples.items()
        if min(int(truth.sum()), int((~truth).sum())) < least
    )
    fits = {label: platt_of(label, *pair) for label, pair in examples.items() if label not in rare}
    if rare:
        logits, truths = zip(*examples.values(), strict=True)
        together = platt_of("all labels", np.concatenate(logits), np.concatenate(truths))
        fits |= dict.fromkeys(sorted(rare), together)
    return fits, rare


def calibrated(logits: NDArray[np.floating], fit: Calibration) -> Floats:
    """Probabilities, as a service computes them from logits."""
    return sigmoid(logits.astype(np.float64) * fit.scale + fit.offset)


def logits_of(scores: NDArray[np.floating]) -> Floats:
    """The logits of a network's sigmoid scores; 0 and 1 become the nearest that have some."""
    inside = np.clip(scores.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.log(inside / (1 - inside))


def sigmoid(logits: Floats) -> Floats:
    """Probability of a logit."""
    return 1 / (1 + np.exp(-np.clip(logits, -700, 700)))


def calibration_error(
    scores: Floats, truth: Truth, times: Floats | None = None, floor: float = FLOOR
) -> float:
    """Expected calibration error over bins of equal mass, of scores above the floor.

    The mean distance of a bin's mean score from its share of positives (Naeini et al., 2015); 0 if
    no score lies above the floor. `times` counts examples for a bootstrap sample.
    """
    bins, masses = _bins(scores, truth, times, floor)
    if not len(masses):
        return 0.0
    return float(masses @ np.abs(bins[:, 0] - bins[:, 1]) / masses.sum())


def error_by_chance(scores: Floats, floor: float = FLOOR, samples: int = 200) -> float:
    """The calibration error that perfectly calibrated scores show on average, being so few."""
    random = np.random.default_rng(0)
    drawn = (random.random(len(scores)) < scores for _ in range(samples))
    return float(np.mean([calibration_error(scores, truth, None, floor) for truth in drawn]))


def reliability(scores: Floats, truth: Truth, floor: float = FLOOR) -> tuple[Bin, ...]:
    """The bins that `calibration_error` compares, from the lowest scores to the highest."""
    bins, masses = _bins(scores, truth, None, floor)
    return tuple(
        Bin(float(score), float(share), int(mass))
        for (score, share), mass in zip(bins, masses, strict=True)
    )


def brier(scores: Floats, truth: Truth, times: Floats | None = None) -> float:
    """Mean squared distance of score and truth (Brier, 1950): 0 is best."""
    return float(np.average((scores - truth) ** 2, weights=times))


def brier_skill(scores: Floats, truth: Truth, times: Floats | None = None) -> float:
    """How much of the always-said base rate's Brier score is spared: 1 is best, 0 is none.

    NaN if the examples are all of one kind.
    """
    share = float(np.average(truth, weights=times))
    spread = share * (1 - share)
    return 1 - brier(scores, truth, times) / spread if spread else float("nan")


def _loss(logits: Floats, targets: Floats) -> float:
    return float((np.logaddexp(0, logits) - targets * logits).sum())


def _bins(
    scores: Floats, truth: Truth, times: Floats | None, floor: float
) -> tuple[Floats, Floats]:
    """Mean score and share of positives (bins, 2), and the mass of each bin; none is empty."""
    counted = np.ones(len(scores)) if times is None else times
    kept = np.flatnonzero((scores > floor) & (counted > 0))
    order = kept[np.argsort(scores[kept], kind="stable")]
    masses = counted[order]
    middles = np.cumsum(masses) - masses / 2
    places = np.minimum((middles / max(masses.sum(), _SMALL) * BINS).astype(int), BINS - 1)
    sums = [
        np.bincount(places, weights=masses * values, minlength=BINS)
        for values in (scores[order], truth[order], np.ones(len(order)))
    ]
    filled = sums[2] > 0
    whole: Floats = sums[2][filled].astype(np.float64)
    return np.stack([one[filled] / whole for one in sums[:2]], axis=1), whole
