"""A thousand canaries of each kind: how often the judge is wrong, and how soon it is right.

What is drawn, how often and by which seeds, and the bounds that have to be kept stand in
`rollout.simulate.scenarios`. The disagreement behind each fault was measured on real photos.
"""

from dataclasses import replace

import pytest

from rollout.judge import Outcome
from rollout.probes import BUILT_IN as PROBE_SET
from rollout.probes import load as load_probes
from rollout.simulate.runs import rollouts, share
from rollout.simulate.scenarios import (
    BUILT_IN,
    CANARIES,
    CAUGHT,
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


# A good canary whose live photos come in twenties that are alike.
CLIPS = replace(GOOD[1], load=None, probed=None, photos=100, copies=20, within=20)


def test_copies_of_one_photo_weigh_as_one_once_that_is_said():
    assert ends(CLIPS, CANARIES // 5)[Outcome.FAIL] < FALSE_ALARMS


def test_copies_that_nobody_told_of_cost_some_good_canaries_and_not_many():
    def unaware(number):
        plan, world = CLIPS.draw(number)
        return replace(plan, repeats=1.0), world

    runs = rollouts(unaware, CANARIES // 5, SEED, CLIPS.within)

    assert FALSE_ALARMS < share(runs, Outcome.FAIL) < 5 * FALSE_ALARMS


def test_a_load_that_shakes_both_tracks_rolls_no_canary_back():
    shaken = replace(
        GOOD[1], photos=0, probed=None, within=20, load=Load(5000, failing=0.01, wobble=0.8)
    )

    assert ends(shaken, CANARIES // 2)[Outcome.FAIL] < FALSE_ALARMS


def test_one_tracks_bad_moments_roll_no_canary_back():
    moody = replace(GOOD[1], photos=0, probed=None, within=20, load=Load(5000, unevenness=0.15))

    assert ends(moody, CANARIES // 2)[Outcome.FAIL] < FALSE_ALARMS


def test_the_built_in_probes_are_as_many_as_the_simulation_takes_them_for():
    assert load_probes(PROBE_SET).asked(["objects"]) == {"objects": BUILT_IN}
