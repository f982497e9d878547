"""Ways of calibrating, on logits whose true probabilities are known."""

import numpy as np
import pytest

from training.calibration import sigmoid
from training.faces_calibration import SERVED, WAYS, compared, moved
from training.faces_data import LABELS, UNKNOWN, Faces

RANDOM = np.random.default_rng(8)
LOGITS = RANDOM.normal(0, 3, 6000)
TRUTH = RANDOM.random(6000) < sigmoid(LOGITS)
AT = np.array([-2.0, 0.0, 2.0])


def faces(truth):
    """Faces that smile or not; of their eyes nothing is known."""
    labels = np.full((len(truth), len(LABELS)), UNKNOWN, np.int8)
    labels[:, 0] = truth
    count = len(truth)
    return Faces(
        images=np.zeros((count, 1, 1, 3), np.uint8),
        labels=labels,
        names=tuple(map(str, range(count))),
        sources=("mtfl",) * count,
        landmarks=np.full((count, 5, 2), np.nan, np.float32),
    )


def logits(values):
    return np.stack([values] * len(LABELS), axis=1)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_finds_probabilities_that_are_right_already(way):
    assert WAYS[way](LOGITS, TRUTH)(AT) == pytest.approx(sigmoid(AT), abs=0.06)


@pytest.mark.parametrize("way", [way for way in WAYS if "own" not in way])
def test_every_way_but_none_at_all_repairs_logits_that_are_shifted(way):
    assert WAYS[way](LOGITS + 2, TRUTH)(AT + 2) == pytest.approx(sigmoid(AT), abs=0.06)


@pytest.mark.parametrize("way", WAYS)
def test_no_way_is_infinitely_wrong_of_separable_scores(way):
    said = WAYS[way](np.array([-3.0, -2, -1, 1, 2, 3]), np.arange(6) > 2)

    assert ((said(AT * 9) > 0) & (said(AT * 9) < 1)).all()


def test_labels_that_nothing_is_known_of_are_left_out_and_the_rest_told_by_unseen_faces():
    told = {one.way: one for one in compared(logits(LOGITS + 2), faces(TRUTH))}

    assert told[SERVED].losses.keys() == {"smiling"}
    assert told[SERVED].losses["smiling"] < told["the network's own"].losses["smiling"] - 0.1
    assert told[SERVED].errors["smiling"] < 0.03 < told["the network's own"].errors["smiling"]


def test_another_source_shows_as_an_error_that_its_own_half_does_not_have():
    (smiling,) = moved(
        {"val": logits(LOGITS[:3000]), "test": logits(LOGITS[3000:] + 1)},
        {"val": faces(TRUTH[:3000]), "test": faces(TRUTH[3000:])},
    )

    assert smiling.val > 0.08
    assert smiling.test < 2 * smiling.by_chance
