"""How sure a figure is: percentile bootstrap over examples (Efron and Tibshirani, 1993).

A measure takes how often each example counts, an array of one number per example: all ones give the
figure itself, numbers drawn with replacement give a sample. So examples are predicted once, and
what a measure needs of each is computed once. Examples are the units that were drawn independently:
faces for a classifier, photos for a captioner or a detector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Measure: TypeAlias = Callable[[Floats], float]
Measures: TypeAlias = Callable[[Floats], Floats]

SAMPLES: Final = 1000
LEVEL: Final = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and the interval that holds 95 % of its bootstrap samples."""

    value: float
    low: float
    high: float

    def text(self, digits: int = 3) -> str:
        """Like `0.862 (0.845 to 0.879)`."""
        return f"{self.value:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher the new model's figure is than the old one's, on the same examples."""

    value: float
    low: float
    high: float
    better: float  # share of samples in which the new one's figure is higher; half of ties

    @property
    def significant(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    def text(self, digits: int = 3) -> str:
        """Like `+0.012 (-0.003 to +0.027)`."""
        value, low, high = (f"{n:+.{digits}f}" for n in (self.value, self.low, self.high))
        return f"{value} ({low} to {high})"


def estimate(measure: Measure, count: int, samples: int = SAMPLES, seed: int = 0) -> Estimate:
    """The figure of `count` examples and its interval.

    Samples for which the measure is NaN (no positive was drawn, say) are left out.
    """
    (found,) = estimates(lambda times: np.array([measure(times)]), count, samples, seed)
    return found


def estimates(
    measures: Measures, count: int, samples: int = SAMPLES, seed: int = 0
) -> tuple[Estimate, ...]:
    """Several figures of the same examples, each with its interval."""
    values = measures(np.ones(count))
    drawn = np.array([measures(times) for times in draws(count, samples, seed)])
    return tuple(
        Estimate(float(value), *_middle(column))
        for value, column in zip(values, drawn.T, strict=True)
    )


def reflected(found: Estimate, least: float = 0.0) -> Estimate:
    """The basic interval (Davison and Hinkley, 1997) of a figure that samples overstate.

    A distance is larger in samples than among the examples, and larger among these than it truly
    is, both for being few: so the percentile interval lies too high by twice that, and this one,
    its mirror image about the figure, where it should: below the figure, if that is chance alone.
    Nothing is below `least`.
    """
    low, high = (max(least, 2 * found.value - end) for end in (found.high, found.low))
    return Estimate(found.value, low, high)


def difference(
    old: Measure, new: Measure, count: int, samples: int = SAMPLES, seed: int = 0
) -> Difference:
    """Compares two models' figures on samples of the same examples, so that luck is shared."""
    (found,) = differences(
        lambda times: np.array([old(times)]),
        lambda times: np.array([new(times)]),
        count,
        samples,
        seed,
    )
    return found


def differences(
    old: Measures, new: Measures, count: int, samples: int = SAMPLES, seed: int = 0
) -> tuple[Difference, ...]:
    """Compares several figures of two models; both measures give them in the same order."""
    ones = np.ones(count)
    values = new(ones) - old(ones)
    drawn = np.array([new(times) - old(times) for times in draws(count, samples, seed)])
    return tuple(
        Difference(float(value), *_middle(column), better=_share_above_zero(column))
        for value, column in zip(values, drawn.T, strict=True)
    )


def draws(count: int, samples: int = SAMPLES, seed: int = 0) -> Iterator[Floats]:
    """How often each of `count` examples was drawn, sample by sample; the same for a seed."""
    random = np.random.default_rng(seed)
    for _ in range(samples):
        yield np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64)


def mean_of(values: NDArray[np.floating] | NDArray[np.bool_]) -> Measure:
    """The mean of one number per example, such as its CIDEr-D or whether it was right."""
    numbers = values.astype(np.float64)
    return lambda times: float(times @ numbers / times.sum())


def _middle(values: Floats) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


def _share_above_zero(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(((known > 0) + 0.5 * (known == 0)).mean()) if len(known) else float("nan")
