"""Sequential tests: how far counts speak for and against a canary, look by look.

Each test gives, for what was counted between two looks, the logarithm of a likelihood ratio, and
adds these up. If the canary is no worse than stated, such a product of ratios ever reaches 1/a with
a probability of at most a, however often and whenever one looks (J. Ville 1939; the likelihood
ratio is A. Wald's, 1945). Read the other way round, it shows that a canary is not bad.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import exp, log
from typing import Final

import numpy as np

from rollout.judge.bounds import log_choose
from rollout.judge.observation import Count, Pairs, Tracks


@dataclass(frozen=True, slots=True)
class Weighed:
    """What one look adds: natural logarithms of likelihood ratios."""

    bad: float = 0.0  # bad against as expected
    good: float = 0.0  # as expected against bad
    low: float = 0.0  # rare against too frequent to be passed over


@dataclass(frozen=True, slots=True)
class ShareTest:
    """Whether a share is at most `expected` or at least `bad`: Wald's test of a proportion."""

    expected: float
    bad: float
    repeats: float = 1.0  # how many trials may be copies of one another

    def weigh(self, count: Count) -> Weighed:
        """Copies weigh as one: a ratio to the power 1/repeats still has a mean of at most 1."""
        others = count.trials - count.events
        ratio = count.events * log(self.bad / self.expected) + others * log(
            (1 - self.bad) / (1 - self.expected)
        )
        return Weighed(ratio / self.repeats, -ratio / self.repeats)

    @cache  # noqa: B019  # of a handful of tests that live as long as the process
    def enough(self, needed: float, miss: float) -> int:
        """Trials after which a bad share has weighed `needed` but for a probability of `miss`.

        By Chernoff's bound, so rather too many than too few.
        """
        up = log(self.bad / self.expected)
        down = log((1 - self.expected) / (1 - self.bad))
        low, high = 1, 1
        while not self._caught(high, needed * self.repeats, miss, up, down):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            if self._caught(middle, needed * self.repeats, miss, up, down):
                high = middle
            else:
                low = middle
        return high

    def _caught(self, trials: int, needed: float, miss: float, up: float, down: float) -> bool:
        share = (needed / trials + down) / (up + down)
        return share < self.bad and exp(-trials * divergence(share, self.bad)) <= miss


def divergence(one: float, other: float) -> float:
    """Kullback and Leibler's, of two proportions; natural logarithm."""
    left = one * log(one / other) if one > 0 else 0.0
    right = (1 - one) * log((1 - one) / (1 - other)) if one < 1 else 0.0
    return left + right


# How much rarer than `floor` something has to be to be shown rare.
_RARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class TracksTest:
    """Whether the odds of an event are as high on the canary as on the stable track.

    Given how many events a look saw on both tracks together, their split between the tracks tells
    nothing but that ratio: it does not matter how frequent they are, nor that this changes from
    look to look. Tolerated is up to `tolerated` times the odds, bad is `bad` times and more, at a
    share of `floor` or more.
    """

    tolerated: float
    bad: float
    floor: float

    def weigh(self, tracks: Tracks) -> Weighed:
        """Nothing is learned of the ratio without calls on both tracks."""
        canary, stable = tracks.canary, tracks.stable
        low = 0.0
        if canary.trials:
            low = -ShareTest(self.floor * _RARE, self.floor).weigh(canary).bad
        if not canary.trials or not stable.trials or not canary.events + stable.events:
            return Weighed(low=low)
        split = _split(tracks)
        ratio = split(self.bad) - split(self.tolerated)
        return Weighed(ratio, -ratio, low)


def _split(tracks: Tracks) -> Callable[[float], float]:
    """Log probability of the split by the ratio of odds: Fisher's noncentral hypergeometric."""
    canary, stable = tracks.canary, tracks.stable
    events = canary.events + stable.events
    possible = np.arange(max(0, events - stable.trials), min(canary.trials, events) + 1)
    ways = log_choose(canary.trials, possible) + log_choose(stable.trials, events - possible)

    def probability(odds: float) -> float:
        weights = ways + possible * log(odds)
        top = float(weights.max())
        total = top + log(float(np.exp(weights - top).sum()))
        return float(weights[canary.events - possible[0]]) - total

    return probability


@dataclass(frozen=True, slots=True)
class SignTest:
    """Whether, where only one track is right, it is the stable one too often.

    If the canary is as accurate, each is right in half of these cases or the canary more often.
    How lopsided a worse canary is depends on how much else changed, so several guesses share one
    test: the mean of likelihood ratios.
    """

    lopsided: tuple[float, ...] = (0.6, 0.75, 0.95)

    def log_ratio(self, pairs: Pairs) -> float:
        """Of all probes asked so far; its own product, so it is not to be added up."""
        each = [pairs.lost * log(2 * p) + pairs.won * log(2 * (1 - p)) for p in self.lopsided]
        top = max(each)
        return top + log(sum(exp(one - top) for one in each) / len(each))
