"""Runs: canaries through a whole rollout, judged by the judge that judges real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rollout.judge import Outcome, Plan, Record, gather, judge
from rollout.simulate.worlds import Rng, World


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one canary."""

    outcome: Outcome
    looks: int
    blamed: str  # the signal it failed by; empty if it did not


# The plan and the world of the canary of that number.
Draw = Callable[[int], tuple[Plan, World]]


def rollout(plan: Plan, world: World, rng: Rng, looks: int) -> Run:
    """One canary, until it is promoted, rolled back, or has been looked at that often."""
    record = Record()
    for number in range(looks):
        record = gather(plan, record, world.look(rng, record.step, number))
        verdict = judge(plan, record)
        if verdict.outcome is Outcome.FAIL:
            return Run(Outcome.FAIL, number + 1, verdict.signals[0].name)
        if verdict.outcome is Outcome.PASS:
            if record.step + 1 == plan.steps:
                return Run(Outcome.PASS, number + 1, "")
            record = record.next_step(plan)
    return Run(Outcome.HOLD, looks, "")


def rollouts(draw: Draw, canaries: int, seed: int, looks: int) -> tuple[Run, ...]:
    """Many canaries, each with random numbers of its own."""
    seeds = np.random.SeedSequence(seed).spawn(canaries)
    runs = []
    for number, one in enumerate(seeds):
        plan, world = draw(number)
        runs.append(rollout(plan, world, np.random.default_rng(one), looks))
    return tuple(runs)


def share(runs: tuple[Run, ...], outcome: Outcome) -> float:
    """Of the runs that ended so."""
    return sum(run.outcome is outcome for run in runs) / len(runs)
