"""A thousand canaries of each kind: how often the judge is wrong, and how soon it is right.

What is drawn, how often and by which seeds, and the bounds that have to be kept stand in
`rollout.simulate.scenarios`. The disagreement behind each fault was measured on real photos.
"""

from dataclasses import replace

import pytest

from rollout.judge import Outcome
from rollout.simulate.runs import rollouts, share
from rollout.simulate.scenarios import (
    CANARIES,
    CAUGHT,
    CHURN,
    FALSE_ALARMS,
    FAULTS,
    GOOD,
    SEED,
    Scenario,
)
from rollout.simulate.worlds import Load

by_name = pytest.mark.parametrize("scenario", FAULTS, ids=lambda one: one.name)


def ends(scenario: Scenario, canaries: int = CANARIES) -> dict[Outcome, float]:
    runs = rollouts(scenario.draw, canaries, SEED, scenario.within)
    return {outcome: share(runs, outcome) for outcome in Outcome}


@pytest.mark.parametrize("scenario", GOOD, ids=lambda one: one.name)
def test_a_good_canary_is_promoted_and_hardly_ever_rolled_back(scenario):
    found = ends(scenario)

    assert found[Outcome.FAIL] < FALSE_ALARMS
    assert found[Outcome.PASS] > 0.99


@by_name
def test_a_fault_is_caught_in_time(scenario):
    assert ends(scenario)[Outcome.FAIL] > CAUGHT


@by_name
def test_without_its_fault_the_same_canary_is_not_rolled_back(scenario):
    assert ends(scenario.without_fault(), CANARIES // 10)[Outcome.FAIL] <= FALSE_ALARMS
