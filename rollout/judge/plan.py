"""The plan of a rollout's judgement: what is watched, by which test, and the error rates kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import log
from typing import Final

from rollout.judge.expected import REST, TOO_MUCH, UNKNOWN, Comparison, is_label
from rollout.judge.sequential import ShareTest, SignTest, TracksTest

# Kinds of signals, and the share of the false alarms each may take: what tells most gets most.
SHARES: Final[Mapping[str, float]] = {
    "errors": 0.2,
    "latency": 0.12,
    "completeness": 0.08,
    "agreement": 0.3,
    "accuracy": 0.3,
}
# Ways a feature's calls fail, as the gateways see them.
OUTCOMES: Final = ("failed", "timed_out", "shed")
# And by the gRPC code of a model's pods. Those that speak of load are left to the gateways: copies
# of calls go to the canary's pods only, wait there behind all others, and are the first to be shed.
CODES: Final = ("INTERNAL", "UNKNOWN", "UNIMPLEMENTED", "INVALID_ARGUMENT")
ERRORS: Final = (*OUTCOMES, *CODES)
# Quantiles of the stable track's times that calls are held against.
QUANTILES: Final[Mapping[str, float]] = {"p95": 0.95, "p99": 0.99}

_LEAST: Final = 0.005
# What more of them has to differ in a general aspect for the canary to be bad.
_MARGIN: Final = 0.1

_ERRORS = TracksTest(tolerated=1.5, bad=4.0, floor=0.01)
_PARTIAL = TracksTest(tolerated=1.5, bad=4.0, floor=0.01)
_SLOW = {
    "p95": TracksTest(tolerated=2.0, bad=5.0, floor=0.15),
    "p99": TracksTest(tolerated=2.0, bad=6.0, floor=0.05),
}


@dataclass(frozen=True)
class Watch:
    """One signal of one rollout."""

    kind: str
    feature: str  # empty: the whole answer
    what: str  # an error's kind, a quantile, an aspect
    test: ShareTest | TracksTest | SignTest
    weight: float  # its share of the false alarms
    by_step: bool  # depends on load: starts anew with each step
    looks: int  # looks that have to speak against a canary before it may fail
    apart: frozenset[str] = frozenset()  # labels that the rest of the labels is without

    @cached_property
    def name(self) -> str:
        """Such as "agreement objects label:dog"."""
        return " ".join(part for part in (self.kind, self.feature, self.what) if part)


@dataclass(frozen=True)
class Plan:
    """What a rollout is judged by.

    `false_alarm` bounds the probability that a canary no worse than stated is rolled back, over
    all signals, steps and looks together; `miss` bounds, signal by signal, that a bad one passes.
    """

    features: tuple[str, ...]  # of the canary's models
    comparisons: tuple[Comparison, ...] = ()
    probes: Mapping[str, int] = field(default_factory=dict)  # labels asked for, by feature
    steps: int = 4
    false_alarm: float = 0.005
    miss: float = 0.01
    photos: int = 1000  # compared before labels that are too rare are let pass
    calls: int = 20_000  # of the canary after which a load signal is decided
    repeats: float = 1.0  # photos that may be copies of one another
    without: frozenset[str] = frozenset()  # kinds of signals that an operator does without

    @cached_property
    def watches(self) -> tuple[Watch, ...]:
        """Every signal with its share of the false alarms; together at most 1."""
        return tuple(
            watch
            for kind, made in (
                ("errors", _errors),
                ("latency", _latency),
                ("completeness", _completeness),
                ("agreement", _agreement),
                ("accuracy", _accuracy),
            )
            if kind not in self.without
            for watch in made(self, SHARES[kind])
        )

    def needed(self, watch: Watch) -> float:
        """The logarithm that this signal has to reach alone for the canary to fail."""
        return -log(self.false_alarm * watch.weight)

    @cached_property
    def shown(self) -> float:
        """The logarithm from which something counts as shown to be good."""
        return log(2 / self.miss)


def _errors(plan: Plan, share: float) -> Iterator[Watch]:
    each = share / (len(plan.features) * len(ERRORS) * plan.steps)
    for feature in plan.features:
        for kind in ERRORS:
            yield Watch("errors", feature, kind, _ERRORS, each, by_step=True, looks=3)


def _latency(plan: Plan, share: float) -> Iterator[Watch]:
    each = share / (len(plan.features) * len(QUANTILES) * plan.steps)
    for feature in plan.features:
        for quantile in QUANTILES:
            yield Watch("latency", feature, quantile, _SLOW[quantile], each, by_step=True, looks=6)


def _completeness(plan: Plan, share: float) -> Iterator[Watch]:
    yield Watch("completeness", "", "", _PARTIAL, share / plan.steps, by_step=True, looks=3)


def _agreement(plan: Plan, share: float) -> Iterator[Watch]:
    for comparison in plan.comparisons:
        yield from _aspects(plan, comparison, share / len(plan.comparisons))


def _aspects(plan: Plan, comparison: Comparison, share: float) -> Iterator[Watch]:
    """Half for what concerns every photo, half for the labels, each among themselves evenly."""
    expected = {name: one.at_most for name, one in comparison.aspects.items()}
    labels = [name for name in expected if is_label(name) and expected[name] < UNKNOWN]
    general = [name for name in expected if not is_label(name) and expected[name] < TOO_MUCH]
    apart = frozenset(labels) - {REST}
    groups = [names for names in (general, labels) if names]
    for names in groups:
        for name in names:
            weight = share / len(groups) / len(names)
            yield _aspect(plan, comparison, name, weight, apart if name == REST else frozenset())


def _aspect(
    plan: Plan, comparison: Comparison, name: str, weight: float, apart: frozenset[str]
) -> Watch:
    # Nothing is expected never to differ: it would take one photo to fail.
    expected = max(_LEAST, comparison.aspects[name].at_most)
    # A label is broken where half of the photos differ that are not expected to.
    bad = expected + (1 - expected) / 2 if is_label(name) else expected + _MARGIN
    test = ShareTest(expected, bad, plan.repeats)
    feature = comparison.feature
    return Watch("agreement", feature, name, test, weight, by_step=False, looks=3, apart=apart)


def _accuracy(plan: Plan, share: float) -> Iterator[Watch]:
    for feature in sorted(plan.probes):
        weight = share / len(plan.probes)
        yield Watch("accuracy", feature, "", SignTest(), weight, by_step=False, looks=1)
