"""Worlds to judge in: what gateways and pods would have counted of a canary, look by look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rollout.judge.expected import DOUBT, Comparison, bounded
from rollout.judge.observation import Count, Observation, Pairs, Times, Tracks
from rollout.judge.plan import CODES, OUTCOMES

Rng = np.random.Generator

TABLES: Final = Path(__file__).parent / "tables"
WEIGHTS: Final = (0.05, 0.25, 0.5, 1.0)
EDGES: Final = (0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, float("inf"))


@dataclass(frozen=True)
class Table:
    """How real photos came out: kinds of photos, and which aspects differ in each kind."""

    aspects: tuple[str, ...]
    shares: NDArray[np.float64]  # of the photos, by kind
    present: NDArray[np.int64]  # (kinds, aspects): 1 where the photo says something of it
    different: NDArray[np.int64]

    def unfaulted(self) -> Table:
        """The same photos, with nothing that differs."""
        return Table(self.aspects, self.shares, self.present, np.zeros_like(self.different))

    def counts(self, rng: Rng, photos: int, churn: float = 0.0) -> dict[str, Count]:
        """That many photos drawn; of what does not differ in them, a share of `churn` does, too."""
        drawn = rng.multinomial(photos, self.shares)
        trials, events = drawn @ self.present, drawn @ self.different
        events = events + rng.binomial(trials - events, churn)
        return {
            aspect: Count(int(some), int(differ))
            for aspect, some, differ in zip(self.aspects, trials, events, strict=True)
            if some
        }


@cache
def table(feature: str, variant: str) -> Table:
    """What the real package's answers to real photos came to, by `rollout.simulate.measure`."""
    patterns: Mapping[str, int] = json.loads((TABLES / f"{feature}.json").read_text())["patterns"][
        variant
    ]
    kinds = [[part.split() for part in pattern.split("|")] for pattern in patterns]
    aspects = tuple(sorted({one for kind in kinds for part in kind for one in part}))
    different = np.array([[one in kind[0] for one in aspects] for kind in kinds], np.int64)
    agree = np.array([[one in kind[1] for one in aspects] for kind in kinds], np.int64)
    photos = np.array(list(patterns.values()), np.float64)
    return Table(aspects, photos / photos.sum(), different + agree, different)


def compared(feature: str, found: Table, rng: Rng, photos: int, churn: float = 0.0) -> Comparison:
    """What an offline comparison of that many photos would have come to."""
    return Comparison(
        schema=1,
        feature=feature,
        stable="1.0.0",
        canary="1.1.0",
        photos=photos,
        doubt=DOUBT,
        aspects=bounded(found.counts(rng, photos, churn)),
    )


@dataclass(frozen=True)
class Load:
    """Calls of both tracks: how many a look sees, how many fail, how long they take."""

    calls: int
    failing: float = 0.001
    canary_failing: float | None = None  # None: as the stable track
    slowdown: float = 1.0  # of the canary
    wobble: float = 0.0  # how much both tracks' failures and times change from look to look
    unevenness: float = 0.0  # how much a look of one track differs from the other's by chance

    def look(self, rng: Rng, feature: str, weight: float) -> Observation:
        """What is counted of errors, times and completeness."""
        drift = float(np.exp(rng.normal(0, self.wobble))) if self.wobble else 1.0
        canary = int(rng.binomial(self.calls, weight))
        worse = self.failing if self.canary_failing is None else self.canary_failing
        tracks = [
            self._track(rng, canary, worse * drift, self.slowdown * drift),
            self._track(rng, self.calls - canary, self.failing * drift, drift),
        ]
        failed = Tracks(*(Count(calls, bad) for calls, bad, _ in tracks))
        none = Tracks(Count(failed.canary.trials), Count(failed.stable.trials))
        errors = {(feature, kind): none for kind in (*OUTCOMES, *CODES)}
        return Observation(
            errors=errors | {(feature, "failed"): failed},
            times={feature: Times(EDGES, tracks[0][2], tracks[1][2])},
            partial=failed,
        )

    def _track(
        self, rng: Rng, calls: int, failing: float, slow: float
    ) -> tuple[int, int, tuple[int, ...]]:
        if self.unevenness:
            slow *= float(np.exp(rng.normal(0, self.unevenness)))
        failed = int(rng.binomial(calls, min(1.0, failing)))
        return calls, failed, tuple(rng.multinomial(calls - failed, _buckets(slow)).tolist())


@cache
def _usual() -> NDArray[np.float64]:
    # Log-normal about 70 ms, as answers of a busy gateway are; one large sample, always the same.
    return np.sort(np.random.default_rng(1).lognormal(np.log(0.07), 0.35, 20_000))


def _buckets(slow: float) -> NDArray[np.float64]:
    reached = np.searchsorted(_usual() * slow, EDGES, side="right") / 20_000
    return np.diff(np.concatenate(([0.0], reached)))


@dataclass(frozen=True)
class Probed:
    """A labelled probe set: where the tracks differ in being right."""

    probes: int
    lost: float = 0.0  # share that the canary no longer answers rightly
    churn: float = 0.0  # share in which they differ otherwise, half for and half against it

    def asked(self, rng: Rng, some: int) -> Pairs:
        """That many probes."""
        drawn = rng.multinomial(
            some,
            (self.lost + self.churn / 2, self.churn / 2, 1 - self.lost - self.churn),
        )
        return Pairs(some, int(drawn[0]), int(drawn[1]))


@dataclass(frozen=True)
class World:
    """One canary's world."""

    feature: str
    photos: int = 0  # compared in each look
    found: Table | None = None
    churn: float = 0.0
    load: Load | None = None
    probed: Probed | None = None
    looks_of_probes: int = 5  # looks over which the probes are asked
    copies: int = 1  # of each photo: frames of one clip

    def look(self, rng: Rng, step: int, number: int) -> Observation:
        """What the look of that number, since the rollout's beginning, sees."""
        seen = self.load.look(rng, self.feature, WEIGHTS[step]) if self.load else Observation()
        return Observation(
            errors=seen.errors,
            times=seen.times,
            partial=seen.partial,
            agreement=self._agreement(rng, step),
            probes=self._probes(rng, number),
        )

    def _agreement(self, rng: Rng, step: int) -> dict[tuple[str, str], Count]:
        # With all calls on the canary there are none to copy.
        if self.found is None or WEIGHTS[step] == 1.0:
            return {}
        counts = self.found.counts(rng, self.photos // self.copies, self.churn)
        return {
            (self.feature, aspect): Count(one.trials * self.copies, one.events * self.copies)
            for aspect, one in counts.items()
        }

    def _probes(self, rng: Rng, number: int) -> dict[str, Pairs]:
        if self.probed is None or number >= self.looks_of_probes:
            return {}
        return {self.feature: self.probed.asked(rng, self.probed.probes // self.looks_of_probes)}
