"""The judge's seat in a rollout: reads what came in since the last look, and keeps the record."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from rollout.judge import Pairs, Plan, Record, Verdict, gather, judge
from rollout.judge.counters import Counters
from rollout.judge.expected import Comparison
from rollout.judge.reading import observe
from rollout.observe import Seen
from rollout.scrape import scrapes
from rollout.state import Judging, State

# Between two looks: calls are judged in portions, since what goes wrong together counts once.
SECONDS: Final = 10.0

Probes = Callable[[], Mapping[str, Pairs]]


class Jury:
    """Judges one rollout's steps; what it gathers is in the state that it returns."""

    def __init__(self, asked: Mapping[str, int], probes: Probes | None, every: float) -> None:
        self._asked = asked
        self._probes = probes
        self._every = every
        self._counters = Counters(time.time())
        self._looked = 0.0
        self._verdict: Verdict | None = None

    def look(self, state: State, seen: Seen) -> tuple[Mapping[str, Any], Verdict] | None:
        """The record and the verdict on the step, once there is something new; else None."""
        if time.monotonic() - self._looked < self._every:
            return None
        self._looked = time.monotonic()
        read, unread = scrapes(seen.pods, seen.pages, seen.features)
        self._counters, increases = self._counters.look(read, time.time())
        if seen.observed.weight != state.target:
            return None  # they came while another weight stood
        probes = self._probes() if self._probes else {}
        plan = self.plan(state, seen.features)
        record = Record.model_validate(state.record) if state.record else Record(step=state.step)
        while record.step < state.step:
            record = record.next_step(plan)
        record = gather(plan, record, observe(increases, probes, tuple(unread)))
        return record.model_dump(mode="json"), judge(plan, record)

    def plan(self, state: State, features: Mapping[str, str]) -> Plan:
        """What the rollout is judged by."""
        given = state.judging
        compared = comparisons(given)
        more: dict[str, Any] = {"calls": given.calls, "photos": given.photos}
        return Plan(
            features=tuple(sorted(features.values())),
            comparisons=compared,
            probes=self._asked,
            steps=len(state.steps),
            repeats=max((one.repeats for one in compared), default=1.0),
            without=frozenset(given.without),
            **{name: number for name, number in more.items() if number},
        )


def comparisons(given: Judging) -> tuple[Comparison, ...]:
    """The offline comparisons; raises ValueError for what is none."""
    return tuple(Comparison.model_validate(one) for one in given.comparisons)
