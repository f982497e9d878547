"""A confidence that was fitted means what it says, and tells good sentences from others."""

import numpy as np
import pytest

from services.captioner.model import Candidate
from training.caption_confidence import bar, fit, judged, sureness
from training.caption_scores import CiderD

REFERENCES = [
    [["a", "dog", "runs"], ["a", "dog", "runs"], ["a", "brown", "dog"]],
    [["two", "men", "play"], ["men", "play", "football"], ["a", "game"]],
]


def example(count, seed=1):
    """Sentences that are close as often as sigmoid(3 * mean + 4) says."""
    random = np.random.default_rng(seed)
    means = random.uniform(-3, -0.3, count)
    close = random.random(count) < 1 / (1 + np.exp(-3 * means - 4))
    candidates = [Candidate("A.", 10 * mean, 10) for mean in means]
    return candidates, np.where(close, 1.0, 0.2) + random.uniform(0, 0.1, count)


def test_sureness_is_the_mean_over_tokens():
    assert sureness([Candidate("A.", -6.0, 4), Candidate("B.", -6.0, 8)]).tolist() == [-1.5, -0.75]


def test_the_fit_finds_how_closeness_hangs_on_sureness():
    found = fit(*example(20_000), 0.5)

    assert found.scale == pytest.approx(3, abs=0.2)
    assert found.offset == pytest.approx(4, abs=0.3)


def test_a_fit_is_calibrated_and_skilled_on_other_sentences():
    fitted = fit(*example(2_000), 0.5)

    one = judged(*example(5_000, seed=2), 0.5, fitted)

    assert one.error.value < 0.03
    assert one.skill.low > 0.1
    assert one.surer.value > one.others.value
    assert one.gap.low > 0
    assert one.gap.value == pytest.approx(one.surer.value - one.others.value)


def test_the_bar_is_what_half_of_peoples_sentences_reach():
    cider = CiderD(REFERENCES)
    scores = [score for photo in range(2) for score in cider.among_people(photo)]

    assert bar(cider, 2) == pytest.approx(np.median(scores))
    assert len(scores) == 6
