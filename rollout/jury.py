"""The judge's seat in a rollout: reads what came in since the last look, and keeps the record."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from rollout.judge import Plan, Record, Verdict, gather, judge
from rollout.judge.counters import Counters
from rollout.judge.expected import Comparison
from rollout.judge.reading import observe
from rollout.observe import Seen
from rollout.scrape import scrapes
from rollout.state import Judging, State

if TYPE_CHECKING:
    from rollout.asking import Asking
    from rollout.probes import ProbeSet

# Between two looks: calls are judged in portions, since what goes wrong together counts once.
SECONDS: Final = 10.0


class Jury:
    """Judges one rollout's steps; what it gathers is in the state that it returns."""

    def __init__(self, probes: ProbeSet | None = None, every: float = SECONDS) -> None:
        self._probes = probes
        self._every = every
        self._counters = Counters(time.time())
        self._record: Record | None = None
        self._looked = 0.0
        self._open = ExitStack()
        self._asking: Asking | None = None

    def look(self, state: State, seen: Seen) -> tuple[Mapping[str, Any], Verdict] | None:
        """The record and the verdict on the step, once there is something new; else None."""
        if time.monotonic() - self._looked < self._every:
            return None
        self._looked = time.monotonic()
        read, unread = scrapes(seen.pods, seen.pages, seen.features)
        self._counters, increases = self._counters.look(read, time.time())
        if seen.observed.weight != state.target:
            return None  # they came while another weight stood
        judged = plan(state, seen.features, self._probes)
        # Its own, once it has one: the state that it last returned may not have been kept.
        record = self._record or _record(state)
        while record.step < state.step:
            record = record.next_step(judged)
        if self._probes and not self._asking:
            self._ask(judged, record, state)
        probes = self._asking.new() if self._asking else {}
        if self._asking and self._asking.trouble:
            unread.append(self._asking.trouble)
        record = gather(judged, record, observe(increases, probes, tuple(unread)))
        self._record = record
        return record.model_dump(mode="json"), judge(judged, record)

    def close(self) -> None:
        """Asks no more probes."""
        self._open.close()

    def _ask(self, judged: Plan, record: Record, state: State) -> None:
        from rollout.asking import Asking  # gRPC is loaded where probes are asked

        assert self._probes is not None  # noqa: S101  # the caller looked
        already = {
            watch.feature: record.evidence[watch.name].pairs.asked
            for watch in judged.watches
            if watch.kind == "accuracy" and watch.name in record.evidence
        }
        asking = Asking(state.judging.gateway, self._probes, judged.features, already)
        self._asking = self._open.enter_context(asking)


def plan(state: State, features: Mapping[str, str], probes: ProbeSet | None) -> Plan:
    """What the rollout is judged by; `features` are those of its models."""
    given, names = state.judging, tuple(sorted(features.values()))
    compared = comparisons(given)
    more: dict[str, Any] = {"calls": given.calls, "photos": given.photos}
    return Plan(
        features=names,
        comparisons=compared,
        probes=probes.asked(names) if probes else {},
        steps=len(state.steps),
        repeats=max((one.repeats for one in compared), default=1.0),
        without=frozenset(given.without),
        **{name: number for name, number in more.items() if number},
    )


def standing(state: State, features: Mapping[str, str], probes: ProbeSet | None) -> Verdict | None:
    """The verdict on what is in the state's record: for onlookers."""
    if not state.record or not features:
        return None
    return judge(plan(state, features, probes), _record(state))


def probes_of(judging: Judging) -> ProbeSet | None:
    """The labelled probes, if there are any; raises BadProbes, which is a ValueError."""
    if not judging.probes:
        return None
    from rollout.probes import BUILT_IN, load  # gRPC's messages are loaded where probes are read

    return load(BUILT_IN if judging.probes == "built-in" else judging.probes)


def comparisons(given: Judging) -> tuple[Comparison, ...]:
    """The offline comparisons; raises ValueError for what is none."""
    return tuple(Comparison.model_validate(one) for one in given.comparisons)


def _record(state: State) -> Record:
    return Record.model_validate(state.record) if state.record else Record(step=state.step)
