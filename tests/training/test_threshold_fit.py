"""Thresholds reach their policy's targets, and say how surely."""

import numpy as np
import pytest
from pydantic import ValidationError

from services.schema import REST
from training.precision import Scored, absent_below, lower_bound, present_from
from training.threshold_fit import DEFAULT_POLICY, FitPolicy, fit_band, fit_set

POLICY = FitPolicy.read(DEFAULT_POLICY)
RANDOM = np.random.default_rng(5)
SCORES = RANDOM.random(2000)
NOISY = Scored(SCORES, RANDOM.random(2000) < SCORES)


@pytest.mark.parametrize(
    ("right", "count", "bound"),
    [
        (10, 10, 0.05 ** (1 / 10)),  # closed form where all are right
        (1, 20, 1 - 0.95 ** (1 / 20)),  # and where one is
        (0, 7, 0.0),
        (90, 100, 0.8363),  # scipy.stats.beta.ppf(0.05, 90, 11)
    ],
)
def test_the_bound_is_clopper_and_pearsons(right, count, bound):
    assert lower_bound(right, count) == pytest.approx(bound, abs=1e-4)


def test_the_bound_is_scipys():
    stats = pytest.importorskip("scipy.stats", reason="needs the training environment")
    for right, count in ((3, 40), (37, 40), (950, 1000), (2500, 3000)):
        expected = stats.beta.ppf(0.05, right, count - right + 1)
        assert lower_bound(right, count) == pytest.approx(expected, abs=1e-9)


def test_the_true_share_is_below_the_bound_once_in_twenty():
    drawn = RANDOM.binomial(60, 0.9, 400)

    assert np.mean([lower_bound(int(n), 60) > 0.9 for n in drawn]) < 0.08


def test_edges_lie_between_scores_and_never_on_one():
    scored = Scored(np.array([0.9, 0.8, 0.8, 0.4]), np.array([True, False, True, False]))
    above, below = present_from(scored), absent_below(scored)

    assert above.edges.tolist() == [0.85, 0.6, 0.2]
    assert above.precision == pytest.approx([1, 2 / 3, 1 / 2])
    assert below.edges.tolist() == [0.6, 0.85, 0.95]
    assert below.precision == pytest.approx([1, 2 / 3, 1 / 2])


def test_present_is_the_lowest_and_absent_the_highest_that_reach_the_target():
    band = fit_band(NOISY, POLICY)

    assert band.present == pytest.approx(0.8, abs=0.05)  # the mean of [0.8, 1] is 0.9
    assert band.absent == pytest.approx(0.2, abs=0.05)
    above = NOISY.scores >= band.present
    assert band.when_present.precision == pytest.approx(NOISY.truth[above].mean(), abs=1e-4)
    assert band.when_present.precision >= 0.9
    assert band.when_present.count == above.sum()
    assert band.when_present.coverage == pytest.approx(above.mean(), abs=1e-4)
    assert band.when_present.recall == pytest.approx(
        NOISY.truth[above].sum() / NOISY.truth.sum(), abs=1e-4
    )
    assert 0.85 < band.when_present.precision_low < band.when_present.precision
    below = NOISY.scores < band.absent
    assert band.when_absent.precision == pytest.approx((~NOISY.truth[below]).mean(), abs=1e-4)
    for lower in NOISY.scores[(NOISY.scores < band.present)]:
        assert NOISY.truth[NOISY.scores >= lower].mean() < 0.9


def test_a_label_that_is_told_apart_well_has_nothing_uncertain():
    truth = np.arange(100) >= 60
    band = fit_band(Scored(np.linspace(0.01, 0.99, 100), truth), POLICY)

    assert band.present == band.absent
    assert band.when_present.recall == 1
    assert band.when_absent.precision >= 0.9


def test_a_label_whose_target_is_out_of_reach_is_never_given():
    guessing = Scored(SCORES, RANDOM.random(2000) < 0.3)
    band = fit_band(guessing, POLICY)

    assert band.present is None
    assert band.when_present is None


def test_one_lucky_example_makes_no_threshold():
    truth = np.array([True] * 4 + [False] * 16)
    band = fit_band(Scored(np.linspace(0.9, 0.1, 20), truth), POLICY)

    assert band.present is None  # four right decisions are fewer than five


def test_labels_with_too_few_positives_are_left_to_the_rest_which_is_never_given():
    few = Scored(np.linspace(0, 1, 30), np.arange(30) >= 25)
    fitted = fit_set({"many": NOISY, "few": few}, POLICY, dataset="faces", split="val", count=2000)

    assert fitted.labels.keys() == {"many", REST}
    assert (fitted.band("few").present, fitted.band("few").absent) == (None, 0)
    assert fitted.policy.name == "precision-90"
    assert (fitted.policy.target_precision, fitted.policy.count) == (0.9, 2000)


def test_true_boxes_that_nothing_found_count_against_recall_and_leave_coverage_open():
    seen = Scored(
        np.array([0.9] * 10 + [0.5] * 10), np.array([True] * 10 + [False] * 10), missed=30
    )
    reached = fit_band(seen, POLICY).when_present

    assert reached.recall == pytest.approx(10 / 40)
    assert reached.coverage is None


def test_unlikely_boxes_of_labels_that_are_never_given_are_absent():
    few = Scored(np.linspace(0, 1, 30), np.arange(30) >= 25, missed=0)

    fitted = fit_set({"few": few}, POLICY, dataset="photos", split="val", count=9)

    assert (fitted.band("few").present, fitted.band("few").absent) == (None, 0.5)


def test_a_misspelt_policy_is_refused(tmp_path):
    file = tmp_path / "policy.json"
    file.write_text(DEFAULT_POLICY.read_text().replace("target_precision", "precision"))

    with pytest.raises(ValidationError, match="target_precision"):
        FitPolicy.read(file)


def test_nothing_is_present_below_the_least_score_however_right_it_would_be():
    scores = np.linspace(0.01, 0.99, 99)
    ranked = Scored(scores, scores > 0.2)
    even = POLICY.model_copy(update={"least_score": 0.5})

    assert fit_band(ranked, POLICY).present < 0.2
    band = fit_band(ranked, even)
    assert band.present == pytest.approx(0.5, abs=0.01)
    assert band.absent <= band.present
