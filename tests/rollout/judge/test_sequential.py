"""The tests' error rates, where they are hardest to keep: at the edge of each hypothesis."""

from math import comb, exp, log

import numpy as np
import pytest

from rollout.judge.bounds import log_choose, upper
from rollout.judge.observation import Count, Pairs, Tracks
from rollout.judge.sequential import ShareTest, SignTest, TracksTest

STREAMS = 2000
ALARM = 0.05
MISS = 0.05
# Of 2,000 streams at 5 %, 2.6 standard deviations more.
CHANCE = 0.0127


def weighed(test: ShareTest, share: float, looks: int, trials: int) -> np.ndarray:
    """What streams have weighed after each look: (streams, looks)."""
    events = np.random.default_rng(7).binomial(trials, share, (STREAMS, looks))
    by_events = [test.weigh(Count(trials, some)).bad for some in range(trials + 1)]
    return np.cumsum(np.array(by_events)[events], axis=1)


@pytest.mark.parametrize(("expected", "bad"), [(0.01, 0.11), (0.05, 0.15), (0.3, 0.65)])
def test_a_share_as_expected_is_hardly_ever_called_bad_however_often_one_looks(expected, bad):
    reached = weighed(ShareTest(expected, bad), expected, looks=2000, trials=1)

    assert (reached.max(axis=1) >= log(1 / ALARM)).mean() < ALARM + CHANCE


@pytest.mark.parametrize(("expected", "bad"), [(0.01, 0.11), (0.05, 0.15), (0.3, 0.65)])
def test_a_bad_share_hardly_ever_passes_neither_early_nor_in_the_end(expected, bad):
    test = ShareTest(expected, bad)
    last = test.enough(log(1 / ALARM), MISS / 2)
    reached = weighed(test, bad, looks=last, trials=1)

    failed = (reached >= log(1 / ALARM)).argmax(axis=1)
    failed[reached.max(axis=1) < log(1 / ALARM)] = last
    passed = (-reached >= log(2 / MISS)).argmax(axis=1)
    passed[(-reached).max(axis=1) < log(2 / MISS)] = last

    assert (passed <= failed).mean() < MISS + CHANCE


def test_a_hundred_copies_of_a_photo_weigh_as_one():
    alone = ShareTest(0.1, 0.2).weigh(Count(1, 1)).bad

    assert ShareTest(0.1, 0.2, repeats=100).weigh(Count(100, 100)).bad == pytest.approx(alone)


def test_tracks_with_the_same_odds_are_hardly_ever_told_apart_while_the_load_shakes():
    test = TracksTest(tolerated=1.0, bad=3.0, floor=0.01)
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(300):
        reached = most = 0.0
        for _ in range(40):
            share = rng.uniform(0.001, 0.3)
            tracks = Tracks(*(Count(n, rng.binomial(n, share)) for n in (50, 400)))
            reached += test.weigh(tracks).bad
            most = max(most, reached)
        alarms += most >= log(1 / ALARM)

    assert alarms / 300 < ALARM + 0.03


def test_ratios_of_the_tracks_odds_have_a_mean_of_one():
    # By hand: every split of 6 events over 10 and 30 calls, as often as it comes by chance.
    test = TracksTest(tolerated=1.0, bad=4.0, floor=0.01)
    mean = sum(
        comb(10, k)
        * comb(30, 6 - k)
        / comb(40, 6)
        * exp(test.weigh(Tracks(Count(10, k), Count(30, 6 - k))).bad)
        for k in range(7)
    )

    assert mean == pytest.approx(1.0)


def test_without_calls_on_both_tracks_nothing_is_learned_of_their_odds():
    test = TracksTest(1.5, 4.0, 0.01)

    assert test.weigh(Tracks(Count(100, 50), Count())).bad == 0.0
    assert test.weigh(Tracks(Count(), Count(100, 50))).bad == 0.0


def test_probes_are_lost_and_won_alike_by_a_canary_as_good():
    rng = np.random.default_rng(5)
    lost = np.cumsum(rng.random((STREAMS, 200)) < 0.5, axis=1)
    asked = np.arange(1, 201)
    test = SignTest()
    ratios = {
        (a, int(b)): test.log_ratio(Pairs(int(a), int(b), int(a - b)))
        for a in asked
        for b in range(a + 1)
    }
    most = np.array(
        [max(ratios[a, int(b)] for a, b in zip(asked, row, strict=True)) for row in lost]
    )

    assert (most >= log(1 / ALARM)).mean() < ALARM + CHANCE


@pytest.mark.parametrize(
    ("count", "doubt", "expected"),
    [
        (Count(100, 0), 0.05, 1 - 0.05**0.01),  # the rule of three
        (Count(50, 5), 0.025, 0.2181),  # of the tables
        (Count(0, 0), 0.05, 1.0),
        (Count(7, 7), 0.05, 1.0),
    ],
)
def test_upper_bounds_are_those_of_clopper_and_pearson(count, doubt, expected):
    assert upper(count, doubt) == pytest.approx(expected, abs=1e-4)


def test_ways_to_choose_are_counted_in_logarithms():
    assert log_choose(40, np.array([6]))[0] == pytest.approx(log(comb(40, 6)))
