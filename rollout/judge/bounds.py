"""Bounds of a share that was counted, without any assumption but independence."""

from functools import cache
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rollout.judge.observation import Count

# As far as it matters: to a millionth.
_HALVINGS: Final = 20


@cache
def upper(count: Count, doubt: float) -> float:
    """The share that lies above the true one but for a probability of `doubt`; 1 if unknown.

    C. Clopper and E. Pearson's, 1934: where so few events would be that improbable.
    """
    if count.events >= count.trials:
        return 1.0
    few = np.arange(count.events + 1)
    ways = log_choose(count.trials, few)
    low, high = count.share, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        logs = ways + few * log(middle) + (count.trials - few) * log(1 - middle)
        if np.exp(logs).sum() > doubt:
            low = middle
        else:
            high = middle
    return high


def log_choose(total: int, some: NDArray[np.int64]) -> NDArray[np.float64]:
    """Natural logarithms of the numbers of ways to choose that many."""
    factorials = _log_factorials(1 << max(10, total.bit_length()))
    ways: NDArray[np.float64] = factorials[total] - factorials[some] - factorials[total - some]
    return ways


@cache
def _log_factorials(most: int) -> NDArray[np.float64]:
    return np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, most + 1)))))
