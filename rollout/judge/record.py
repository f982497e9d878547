"""The record: what all looks of a rollout so far have gathered; kept between looks and restarts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic import BaseModel, ConfigDict

from rollout.judge.bounds import upper
from rollout.judge.expected import REST, is_label
from rollout.judge.observation import Count, Observation, Pairs, Times, Tracks
from rollout.judge.plan import QUANTILES, Plan, Watch
from rollout.judge.sequential import ShareTest, SignTest, TracksTest, Weighed

# Calls of the stable track that are looked at before its quantiles are taken from them.
_LEARNT_FROM: Final[Mapping[str, int]] = {"p95": 200, "p99": 1000}
# How surely the stable track is no worse, once it has no calls left to be held against.
_SURE: Final = 0.001


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one signal has gathered."""

    tracks: Tracks = field(default_factory=Tracks)  # of agreement: photos compared, as the canary's
    pairs: Pairs = field(default_factory=Pairs)
    bad: float = 0.0  # natural logarithm: bad against as expected
    good: float = 0.0
    low: float = 0.0


NOTHING: Final = Evidence()
_NO_CALLS: Final = Tracks()


class Record(BaseModel):
    """Everything gathered. Frozen: a look makes a new one. `model_dump_json` is what to keep."""

    model_config = ConfigDict(frozen=True)

    step: int = 0
    evidence: Mapping[str, Evidence] = {}  # by signal
    before: Mapping[str, Count] = {}  # the stable track's, of signals by step, over all steps
    learning: Mapping[str, tuple[int, ...]] = {}  # the stable track's times in this step
    edges: Mapping[str, float] = {}  # by signal, seconds: where the stable track's quantile lies
    missing: tuple[str, ...] = ()  # what the latest look could not read

    def next_step(self, plan: Plan) -> Record:
        """The record at the beginning of the next step: what depends on load starts anew."""
        kept = {w.name for w in plan.watches if not w.by_step}
        evidence = {name: one for name, one in self.evidence.items() if name in kept}
        return self.model_copy(
            update={"step": self.step + 1, "evidence": evidence, "learning": {}, "missing": ()}
        )


def gather(plan: Plan, record: Record, seen: Observation) -> Record:
    """The record with one more look."""
    # Quantiles that are taken from this very look serve from the next one on.
    learnt = _learn(plan, record, seen)
    evidence, before = dict(record.evidence), dict(record.before)
    for watch in plan.watches:
        had = evidence.get(watch.name, NOTHING)
        match watch.test:
            case SignTest():
                evidence[watch.name] = _asked(watch.test, had, seen.probes.get(watch.feature))
            case ShareTest():
                if (count := _photos(watch, seen)).trials:
                    weighed = _capped(plan, watch, watch.test.weigh(count))
                    evidence[watch.name] = _added(had, Tracks(canary=count), weighed)
            case TracksTest():
                tracks = _tracks(watch, record, seen)
                if tracks == _NO_CALLS:
                    continue
                reference = before.get(watch.name, Count())
                weighed = _capped(plan, watch, _weighed(watch.test, tracks, reference))
                evidence[watch.name] = _added(had, tracks, weighed)
                before[watch.name] = reference + tracks.stable
    return learnt.model_copy(
        update={"evidence": evidence, "before": before, "missing": seen.missing}
    )


def _added(had: Evidence, tracks: Tracks, weighed: Weighed) -> Evidence:
    return Evidence(
        tracks=had.tracks + tracks,
        bad=had.bad + weighed.bad,
        good=had.good + weighed.good,
        low=had.low + weighed.low,
    )


def _asked(test: SignTest, had: Evidence, pairs: Pairs | None) -> Evidence:
    if pairs is None:
        return had
    old = had.pairs
    total = Pairs(old.asked + pairs.asked, old.lost + pairs.lost, old.won + pairs.won)
    return Evidence(pairs=total, bad=test.log_ratio(total))


def _capped(plan: Plan, watch: Watch, weighed: Weighed) -> Weighed:
    # What goes wrong together is counted together: no single look may decide. A ratio that is cut
    # still has a mean of at most 1, so the error rates are kept.
    bad, shown = plan.needed(watch) / watch.looks, plan.shown
    return Weighed(min(weighed.bad, bad), min(weighed.good, shown), min(weighed.low, shown))


def _weighed(test: TracksTest, tracks: Tracks, before: Count) -> Weighed:
    if tracks.stable.trials or not before.trials:
        return test.weigh(tracks)
    # All calls are the canary's: the stable track's earlier ones have to do.
    usual = upper(before, _SURE)
    return replace(
        ShareTest(
            _at_odds(test.tolerated, usual), max(test.floor, _at_odds(test.bad, usual))
        ).weigh(tracks.canary),
        low=test.weigh(tracks).low,
    )


def _at_odds(times: float, share: float) -> float:
    share = min(share, 0.99)
    odds = times * share / (1 - share)
    return odds / (1 + odds)


def _photos(watch: Watch, seen: Observation) -> Count:
    if watch.what != REST:
        return seen.agreement.get((watch.feature, watch.what), Count())
    rest = (
        count
        for (feature, aspect), count in seen.agreement.items()
        if feature == watch.feature and is_label(aspect) and aspect not in watch.apart
    )
    return sum(rest, Count())


def _tracks(watch: Watch, record: Record, seen: Observation) -> Tracks:
    if watch.kind == "errors":
        return seen.errors.get((watch.feature, watch.what), Tracks())
    if watch.kind == "completeness":
        return seen.partial
    times, edge = seen.times.get(watch.feature), record.edges.get(watch.name)
    if times is None or edge is None or edge not in times.edges:
        return Tracks()
    return times.above(edge)


def _learn(plan: Plan, record: Record, seen: Observation) -> Record:
    """Takes the stable track's quantiles from its first calls in a step."""
    learning, edges = dict(record.learning), dict(record.edges)
    for feature, times in seen.times.items():
        had = learning.get(feature, (0,) * len(times.stable))
        total = tuple(a + b for a, b in zip(had, times.stable, strict=True))
        for watch in plan.watches:
            if watch.kind != "latency" or watch.feature != feature:
                continue
            fresh = sum(had) >= _LEARNT_FROM[watch.what]
            if not fresh and sum(total) >= _LEARNT_FROM[watch.what]:
                edges[watch.name] = _edge(times, total, QUANTILES[watch.what])
        learning[feature] = total
    return record.model_copy(update={"learning": learning, "edges": edges})


def _edge(times: Times, calls: tuple[int, ...], quantile: float) -> float:
    reached, finite = 0, times.edges[:-1]
    for edge, some in zip(finite, calls, strict=False):
        reached += some
        if reached >= quantile * sum(calls):
            return edge
    return finite[-1]  # beyond it nothing is told apart
