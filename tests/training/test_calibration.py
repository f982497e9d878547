"""Calibration and its figures, on scores whose true probabilities are known."""

import numpy as np
import pytest

from services.manifest import Calibration
from training.calibration import (
    brier,
    brier_skill,
    calibrated,
    calibration_error,
    error_by_chance,
    logits_of,
    platt,
    platt_by_label,
    reliability,
)

RANDOM = np.random.default_rng(4)
LOGITS = RANDOM.normal(0, 2, 20_000)
MEANT = 1 / (1 + np.exp(-(0.5 * LOGITS - 1)))
TRUTH = RANDOM.random(20_000) < MEANT


def test_calibration_finds_what_the_scores_were_drawn_from():
    fit = platt(LOGITS, TRUTH)

    assert fit.scale == pytest.approx(0.5, abs=0.03)
    assert fit.offset == pytest.approx(-1, abs=0.05)


def test_calibration_is_scikit_learns_where_targets_hardly_matter():
    linear = pytest.importorskip("sklearn.linear_model", reason="needs the training environment")
    expected = linear.LogisticRegression(C=1e6).fit(LOGITS[:, None], TRUTH)

    fit = platt(LOGITS, TRUTH)

    assert fit.scale == pytest.approx(expected.coef_[0, 0], abs=2e-3)
    assert fit.offset == pytest.approx(expected.intercept_[0], abs=2e-3)


def test_separable_scores_get_a_finite_calibration():
    fit = platt(np.array([-3.0, -2, 2, 3]), np.array([False, False, True, True]))

    assert 0 < fit.scale < 10
    assert calibrated(np.array([2.0]), fit)[0] == pytest.approx(0.75, abs=0.1)


def test_extreme_logits_do_not_throw_the_fit_off():
    logits = np.append(LOGITS, [400.0, -400.0])

    assert platt(logits, np.append(TRUTH, [True, False])).scale == pytest.approx(0.5, abs=0.05)


def test_examples_of_one_kind_cannot_be_calibrated():
    with pytest.raises(ValueError, match="positives and negatives"):
        platt(LOGITS, np.ones(len(LOGITS), bool))


def test_rare_labels_share_the_fit_of_all():
    few = np.array([True] * 3 + [False] * 7)
    examples = {"many": (LOGITS, TRUTH), "few": (LOGITS[:10], few)}

    fits, rare = platt_by_label(examples, least=10)

    assert rare == {"few"}
    assert fits["many"] == platt(LOGITS, TRUTH)
    assert fits["few"] == platt(np.append(LOGITS, LOGITS[:10]), np.append(TRUTH, few))


def test_scores_become_logits_and_scores_again():
    scores = np.array([0.0, 0.2, 0.9, 1.0])

    assert calibrated(logits_of(scores), Calibration()) == pytest.approx(scores, abs=1e-6)


def test_scores_that_mean_what_they_say_have_no_calibration_error_and_others_have():
    assert calibration_error(MEANT, TRUTH) < 0.02
    assert calibration_error(np.sqrt(MEANT), TRUTH) > 0.1


def test_calibration_error_of_a_few_scores_counted_by_hand():
    scores = np.array([0.01] * 90 + [0.2] * 5 + [0.8] * 5)  # the first lie below the floor
    truth = np.array([True] * 90 + [True] + [False] * 4 + [True] * 5)

    assert calibration_error(scores, truth) == pytest.approx((0.8 + 9 * 0.2) / 10)
    assert calibration_error(np.zeros(3), np.zeros(3, bool)) == 0


def test_few_scores_show_an_error_even_if_they_mean_what_they_say():
    few, many = np.full(30, 0.5), np.full(30_000, 0.5)

    assert error_by_chance(few) > 0.1  # bins of three
    assert error_by_chance(many) < 0.02


@pytest.mark.parametrize("least", [1, 30])
def test_scores_are_not_turned_round_where_labels_are_exchanged(least):
    logits = np.linspace(-2, 2, 40)

    with pytest.raises(ValueError, match=r"(beard|all labels): .*the other way round"):
        platt_by_label({"beard": (logits, logits < 0)}, least)


def test_reliability_has_bins_of_equal_mass_from_low_to_high():
    bins = reliability(MEANT, TRUTH)

    assert [one.score for one in bins] == sorted(one.score for one in bins)
    assert sum(one.count for one in bins) == (MEANT > 0.05).sum()
    assert max(one.count for one in bins) - min(one.count for one in bins) <= 1
    assert all(one.share == pytest.approx(one.score, abs=0.04) for one in bins)


def test_brier_is_scikit_learns_and_skill_is_against_the_base_rate():
    scores, truth = np.array([0.9, 0.6, 0.2, 0.1]), np.array([True, False, True, False])

    assert brier(scores, truth) == pytest.approx((0.01 + 0.36 + 0.64 + 0.01) / 4)
    assert brier_skill(scores, truth) == pytest.approx(1 - 1.02 / 4 / 0.25)
    assert brier_skill(np.full(4, 0.5), truth) == 0
    assert brier_skill(truth.astype(float), truth) == 1
    assert np.isnan(brier_skill(scores, np.ones(4, bool)))


def test_an_example_that_counts_twice_is_as_good_as_two_of_it():
    times = RANDOM.integers(0, 3, 200).astype(float)
    again = np.repeat(np.arange(200), times.astype(int))

    assert brier_skill(MEANT[:200], TRUTH[:200], times) == pytest.approx(
        brier_skill(MEANT[again], TRUTH[again])
    )
    assert calibration_error(MEANT[:200], TRUTH[:200], times) == pytest.approx(
        calibration_error(MEANT[again], TRUTH[again]), abs=0.03
    )
