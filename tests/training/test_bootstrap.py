"""Bootstrap intervals against closed forms, on examples whose figures are known."""

import numpy as np
import pytest

from training import coco
from training.bootstrap import (
    Estimate,
    difference,
    differences,
    draws,
    estimate,
    estimates,
    mean_of,
    reflected,
)
from training.bootstrap_boxes import label_average_precision, mean_average_precision
from training.bootstrap_captions import CAPTION_FIGURES, caption_measures
from training.calibration import calibration_error
from training.caption_scores import CiderD, bleu
from training.ranking import Ranking

RANDOM = np.random.default_rng(3)
RIGHT = RANDOM.random(900) < 0.8
SCORES = np.round(RANDOM.random(400), 2)  # with ties
TRUTH = RANDOM.random(400) < SCORES


def ones(count):
    return np.ones(count)


def test_the_interval_of_a_share_is_that_of_a_binomial():
    found = estimate(mean_of(RIGHT), len(RIGHT), samples=4000)
    spread = 1.96 * np.sqrt(found.value * (1 - found.value) / len(RIGHT))

    assert found.value == RIGHT.mean()
    assert found.low == pytest.approx(found.value - spread, abs=0.003)
    assert found.high == pytest.approx(found.value + spread, abs=0.003)


def test_the_same_seed_gives_the_same_interval_and_another_one_another():
    assert estimate(mean_of(RIGHT), 900, seed=1) == estimate(mean_of(RIGHT), 900, seed=1)
    assert estimate(mean_of(RIGHT), 900, seed=1) != estimate(mean_of(RIGHT), 900, seed=2)


def test_what_samples_overstate_has_an_interval_that_lies_as_far_to_the_other_side():
    assert reflected(Estimate(0.5, 0.25, 1)) == Estimate(0.5, 0, 0.75)
    assert reflected(Estimate(0.5, 0.75, 1.5)).low == 0


def test_a_calibration_error_that_is_chance_alone_may_be_none():
    said = RANDOM.random(300)
    true = RANDOM.random(300) < said
    found = estimate(lambda times: calibration_error(said, true, times), 300, samples=300)

    assert found.low > 0.02
    assert reflected(found).low < 0.01


def test_a_sample_counts_as_many_examples_as_there_are():
    assert all(times.sum() == 50 for times in draws(50, samples=20))


def test_a_paired_difference_is_surer_than_its_two_intervals():
    old = RANDOM.normal(0.5, 0.3, 300)
    new = old + RANDOM.normal(0.01, 0.01, 300)

    paired = difference(mean_of(old), mean_of(new), 300)
    alone = estimate(mean_of(new), 300)

    assert paired.value == pytest.approx((new - old).mean())
    assert paired.significant
    assert paired.better == 1
    assert paired.high - paired.low < (alone.high - alone.low) / 10


def test_a_model_compared_with_itself_is_no_better_and_no_worse():
    same = difference(mean_of(RIGHT), mean_of(RIGHT), len(RIGHT))

    assert (same.value, same.low, same.high, same.better) == (0, 0, 0, 0.5)
    assert not same.significant


def test_samples_without_a_positive_are_left_out():
    ranking = Ranking(np.array([0.9, 0.2, 0.1]), np.array([True, False, False]))

    assert estimate(ranking.average_precision, 3).low == 1


def test_an_example_that_counts_twice_is_as_good_as_two_of_it():
    times = RANDOM.integers(0, 3, len(SCORES)).astype(float)
    repeated = np.repeat(np.arange(len(SCORES)), times.astype(int))
    once, twice = Ranking(SCORES, TRUTH), Ranking(SCORES[repeated], TRUTH[repeated])
    count = ones(len(repeated))

    assert once.auc(times) == pytest.approx(twice.auc(count))
    assert once.average_precision(times) == pytest.approx(twice.average_precision(count))
    assert once.accuracy(times, 0.5) == pytest.approx(twice.accuracy(count, 0.5))
    assert once.precision(times, 0.5) == pytest.approx(twice.precision(count, 0.5))
    assert once.recall(times, 0.5) == pytest.approx(twice.recall(count, 0.5))
    assert once.recall_at_precision(times, 0.7) == pytest.approx(
        twice.recall_at_precision(count, 0.7)
    )


def test_ranking_figures_are_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics", reason="needs the training environment")
    ranking = Ranking(SCORES, TRUTH)

    assert ranking.auc(ones(400)) == pytest.approx(metrics.roc_auc_score(TRUTH, SCORES))
    assert ranking.average_precision(ones(400)) == pytest.approx(
        metrics.average_precision_score(TRUTH, SCORES)
    )
    precision, recall, _ = metrics.precision_recall_curve(TRUTH, SCORES)
    assert ranking.recall_at_precision(ones(400), 0.7) == pytest.approx(
        recall[precision >= 0.7].max()
    )


def test_figures_of_a_few_scores_counted_by_hand():
    ranking = Ranking(np.array([0.9, 0.8, 0.4, 0.3, 0.1]), np.array([1, 0, 1, 0, 0], bool))

    assert ranking.auc(ones(5)) == pytest.approx(5 / 6)
    assert ranking.average_precision(ones(5)) == pytest.approx((1 + 2 / 3) / 2)
    assert ranking.accuracy(ones(5), 0.5) == pytest.approx(3 / 5)
    assert ranking.precision(ones(5), 0.5) == pytest.approx(1 / 2)
    assert np.isnan(ranking.precision(ones(5), 0.95))
    assert ranking.recall_at_precision(ones(5), 0.9) == pytest.approx(1 / 2)


def test_figures_of_no_examples_are_unknown():
    ranking = Ranking(np.array([]), np.array([], bool))

    assert np.isnan(ranking.auc(ones(0)))
    assert np.isnan(ranking.average_precision(ones(0)))
    assert np.isnan(ranking.accuracy(ones(0), 0.5))
    assert np.isnan(ranking.recall_at_precision(ones(0), 0.5))


REFERENCES = [
    [line.split() for line in lines]
    for lines in (
        ["a dog runs on the grass", "a brown dog is running outside"],
        ["two men play football on a field", "men in red shirts chase a ball"],
        ["a girl in a pink dress", "a little girl climbs the stairs"],
    )
]
CANDIDATES = [
    line.split()
    for line in ("a dog is running", "two men in red shirts play football", "a girl in a dress")
]


def test_caption_figures_of_the_whole_are_those_of_the_corpus():
    *four, cider = caption_measures(CANDIDATES, REFERENCES)(ones(3))

    assert len(CAPTION_FIGURES) == 5
    assert four == pytest.approx(bleu(CANDIDATES, REFERENCES))
    assert cider == pytest.approx(CiderD(REFERENCES).mean(CANDIDATES))


def test_caption_figures_of_a_sample_are_those_of_the_photos_drawn():
    measures = caption_measures(CANDIDATES, REFERENCES)
    drawn = [0, 0, 2]

    assert measures(np.array([2.0, 0.0, 1.0]))[:4] == pytest.approx(
        bleu([CANDIDATES[n] for n in drawn], [REFERENCES[n] for n in drawn])
    )
    assert len(estimates(measures, 3, samples=10)) == 5
    assert {one.value for one in differences(measures, measures, 3, samples=10)} == {0.0}


def photo(count, random):
    corners = np.sort(random.random((count, 2, 2)), axis=1).reshape(count, 4)
    labels = random.integers(0, 3, count)
    return coco.Boxes(corners, labels, random.random(count))


@pytest.fixture(scope="module")
def boxes():
    random = np.random.default_rng(7)
    true = [photo(6, random) for _ in range(12)]
    return [
        coco.Boxes(
            np.concatenate([one.edges + random.normal(0, 0.01, one.edges.shape), other.edges]),
            np.concatenate([one.labels, other.labels]),
            np.concatenate([one.scores, other.scores]),
        )
        for one, other in zip(true, [photo(4, random) for _ in range(12)], strict=True)
    ], true


def test_box_figures_of_the_whole_are_cocos(boxes):
    predicted, true = boxes
    quality = coco.quality(predicted, true)

    assert mean_average_precision(predicted, true)(ones(12)) == pytest.approx(quality.ap50)
    assert mean_average_precision(predicted, true, 10)(ones(12)) == pytest.approx(quality.ap)
    assert label_average_precision(predicted, true, 1)(ones(12)) == pytest.approx(
        quality.ap50_by_label[1]
    )


def test_box_figures_of_a_sample_are_those_of_the_photos_drawn(boxes):
    predicted, true = boxes
    kept = np.array([1, 0] * 6)
    quality = coco.quality(predicted[::2], true[::2])

    assert mean_average_precision(predicted, true)(kept.astype(float)) == pytest.approx(
        quality.ap50
    )
