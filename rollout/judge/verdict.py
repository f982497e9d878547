"""judge(): what follows from the record: pass, fail or hold; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import exp, log

from rollout.judge.expected import is_label, unknown
from rollout.judge.observation import Count, Pairs
from rollout.judge.plan import Plan, Watch
from rollout.judge.record import NOTHING, Evidence, Record
from rollout.judge.sequential import ShareTest, SignTest, TracksTest
from rollout.judge.words import counted, lacking, odds

# Larger odds are no surer: no assumption holds that well.
_MOST_ODDS = 1e12


class Outcome(StrEnum):
    """What to do."""

    PASS = "pass"  # noqa: S105  # no password: the next step, or promotion
    FAIL = "fail"  # roll back
    HOLD = "hold"  # stay, and look again


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal as it stands."""

    outcome: Outcome
    odds: float  # against seeing this on a canary that is no worse than stated, to one
    watch: Watch = field(repr=False)
    evidence: Evidence = field(repr=False)
    edge: float | None = None  # seconds, of latency

    @property
    def name(self) -> str:
        """Such as "agreement objects label:dog"."""
        return self.watch.name

    @property
    def words(self) -> str:
        """Its figures, for an operator."""
        return counted(self.watch, self.evidence, self.edge)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows for the step."""

    outcome: Outcome
    words: str  # one line; for FAIL the signal, its figures and the odds, for HOLD what is missing
    signals: tuple[Signal, ...]  # the most suspicious first
    missing: tuple[str, ...]  # what has to be there before the step can pass
    unjudged: tuple[str, ...]  # what a step that passes passed over: there was too little of it


def judge(plan: Plan, record: Record) -> Verdict:
    """The verdict on the step that the record is in.

    FAIL once the mean of all signals' ratios, by their weights, exceeds 1/false_alarm: such a mean
    is again a ratio whose mean is at most 1, however the signals depend on each other, so this
    bound holds for all of them together.
    """
    signals = tuple(sorted(_signals(plan, record), key=lambda one: -one.odds))
    total = sum(one.watch.weight * one.odds for one in signals)
    if total >= 1 / plan.false_alarm:
        worst = max(signals, key=lambda one: one.watch.weight * one.odds)
        blamed = replace(worst, outcome=Outcome.FAIL)
        shown = (blamed, *(one for one in signals if one is not worst))
        words = f"{worst.name}: {worst.words}; {odds(worst.odds)}"
        return Verdict(Outcome.FAIL, words, shown, (), ())
    missing = tuple(_missing(plan, record, signals))
    if missing:
        return Verdict(Outcome.HOLD, _held(missing), signals, missing, ())
    words = f"no sign against the canary in {len(signals)} signals"
    return Verdict(Outcome.PASS, words, signals, (), tuple(_unjudged(plan, record)))


def _signals(plan: Plan, record: Record) -> Iterator[Signal]:
    seen = {feature: photos(record, feature) for feature in plan.features}
    for watch in plan.watches:
        had = record.evidence.get(watch.name, NOTHING)
        cleared = _cleared(plan, watch, had, seen.get(watch.feature, 0))
        outcome = Outcome.PASS if cleared else Outcome.HOLD
        ratio = had.bad if _matters(watch, had) else min(0.0, had.bad)
        against = exp(min(ratio, log(_MOST_ODDS)))
        yield Signal(outcome, against, watch, had, record.edges.get(watch.name))


def _matters(watch: Watch, had: Evidence) -> bool:
    # However much rarer it is on the stable track: what is too rare to care about is no reason.
    if not isinstance(watch.test, TracksTest):
        return True
    return had.tracks.canary.share >= watch.test.floor


def _cleared(plan: Plan, watch: Watch, had: Evidence, seen: int) -> bool:
    trials = had.tracks.canary.trials
    match watch.test:
        case SignTest():
            return had.pairs.asked >= plan.probes[watch.feature] > 0
        case TracksTest():
            return max(had.good, had.low) >= plan.shown or trials >= plan.calls
        case ShareTest():
            if had.good >= plan.shown:
                return True
            passed_over = _may_be_rare(watch) and seen >= plan.photos
            return passed_over or trials >= watch.test.enough(plan.needed(watch), plan.miss / 2)


def _may_be_rare(watch: Watch) -> bool:
    return is_label(watch.what) or watch.what in ("place", "score", "words")


def photos(record: Record, feature: str) -> int:
    """Photos of that feature that were compared."""
    return max(
        (
            one.tracks.canary.trials
            for name, one in record.evidence.items()
            if name.startswith(f"agreement {feature} ")
        ),
        default=0,
    )


def _missing(plan: Plan, record: Record, signals: tuple[Signal, ...]) -> Iterator[str]:
    yield from record.missing
    for feature in plan.features:
        if "agreement" not in plan.without:
            yield from _uncompared(plan, feature)
        if "accuracy" not in plan.without and not plan.probes.get(feature):
            yield f"no labelled probes for {feature}"
    waiting = {one.name for one in signals if one.outcome is Outcome.HOLD}
    for watch in plan.watches:
        if watch.name in waiting:
            before = record.before.get(watch.name, Count())
            yield lacking(plan, watch, record.evidence.get(watch.name, NOTHING), before)


def _uncompared(plan: Plan, feature: str) -> Iterator[str]:
    if not any(one.feature == feature for one in plan.comparisons):
        yield f"no comparison of {feature}: run `python -m rollout compare`"
    elif not any((w.kind, w.feature) == ("agreement", feature) for w in plan.watches):
        yield f"the packages of {feature} differ too much, or were compared on too few photos"


def _unjudged(plan: Plan, record: Record) -> Iterator[str]:
    for comparison in plan.comparisons:
        for name, aspect in unknown(comparison):
            yield f"agreement {comparison.feature} {name} ({aspect.photos} photos offline)"
    for watch in plan.watches:
        if isinstance(watch.test, SignTest):
            most = plan.probes[watch.feature]
            if watch.test.log_ratio(Pairs(most, most, 0)) < plan.needed(watch):
                yield f"{watch.name} ({most} probes: too few to fail it)"
        if isinstance(watch.test, ShareTest) and _may_be_rare(watch):
            had = record.evidence.get(watch.name, NOTHING)
            enough = watch.test.enough(plan.needed(watch), plan.miss / 2)
            if had.good < plan.shown and had.tracks.canary.trials < enough:
                yield f"{watch.name} ({had.tracks.canary.trials} photos)"


def _held(missing: tuple[str, ...]) -> str:
    more = f", and {len(missing) - 3} more" if len(missing) > 3 else ""
    return "waiting for " + "; ".join(missing[:3]) + more
