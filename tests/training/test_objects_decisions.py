"""What a detector's scores are made to mean, on guesses whose truth is known."""

import numpy as np
import pytest

from services.schema import REST
from training import coco
from training.detection import Found
from training.objects_decisions import LIKELY, OWN_BOXES, Guesses, calibrate, guesses, thresholds
from training.threshold_fit import DEFAULT_POLICY, FitPolicy

LABELS = ("person", "dog", "tie", "cat")
POLICY = FitPolicy.read(DEFAULT_POLICY)


def made(*rows, drawn):
    """Guesses from (label, score, whether right, how often)."""
    times = [row[3] for row in rows]
    label, score, right = (np.repeat([row[n] for row in rows], times) for n in range(3))
    return Guesses(
        labels=label.astype(np.intp),
        photos=np.zeros(len(label), np.intp),
        scores=score.astype(np.float64),
        right=right.astype(bool),
        drawn=drawn,
        count=1,
    )


def bands(known):
    return thresholds(known, LABELS, POLICY, "made up", "val").labels


def test_a_label_with_many_boxes_has_its_own_threshold_and_others_share_one():
    known = made(
        (0, 0.9, True, 40), (0, 0.7, False, 30), (1, 0.7, True, 5), (3, 0.7, True, 5),
        drawn={0: OWN_BOXES, 1: 6, 3: 6},
    )  # fmt: skip

    found = bands(known)

    assert set(found) == {"person", REST}
    assert 0.7 < found["person"].present < 0.9
    assert found[REST].present < 0.7
    assert found[REST].when_present.recall == pytest.approx(10 / 12, abs=1e-4)


def test_a_label_that_would_be_answered_wrongly_is_never_given():
    known = made(
        (1, 0.9, True, 40), (2, 0.9, False, 2), (3, 0.9, False, 1), drawn={1: 40, 2: 3, 3: 2}
    )

    found = bands(known)

    assert found["tie"].present is None  # two of two wrong: not nine in ten right
    assert "cat" not in found  # one of one may be bad luck


def test_a_label_that_was_drawn_often_and_never_found_is_never_given():
    known = made((1, 0.9, True, 40), (2, 0.3, True, 2), drawn={1: 40, 2: 12})

    assert bands(known)["tie"].present is None


def test_what_is_more_likely_wrong_than_right_is_absent():
    known = made((1, 0.9, True, 40), (1, 0.6, False, 20), drawn={1: 40})

    assert bands(known)[REST].absent == LIKELY


def test_one_fit_makes_scores_that_are_too_low_as_high_as_they_should_be():
    random = np.random.default_rng(1)
    scores = random.uniform(0.02, 0.98, 40000)
    odds = scores / (1 - scores) * 3
    right = random.random(40000) < odds / (1 + odds)
    known = made((0, 0.5, True, 40000), drawn={0: 40000})

    fit = calibrate(Guesses(known.labels, known.photos, scores, right, known.drawn, 1))

    assert fit.scale == pytest.approx(1, abs=0.1)
    assert fit.offset == pytest.approx(np.log(3), abs=0.1)


def test_a_guess_is_right_once_for_a_box_of_its_label():
    box = (0.1, 0.1, 0.5, 0.5)
    predicted = coco.Boxes(
        np.array([box, box, box]), np.array([0, 0, 1]), np.array([0.9, 0.8, 0.7])
    )
    true = coco.Boxes(np.array([box]), np.array([0]), np.ones(1))

    found = guesses(Found((predicted,), (true,), 0.0))

    assert found.right.tolist() == [True, False, False]
    assert found.drawn == {0: 1, 1: 0}


def test_photos_without_a_box_of_the_models_labels_are_refused():
    none = coco.Boxes(np.zeros((0, 4)), np.zeros(0, np.intp), np.zeros(0))

    with pytest.raises(ValueError, match="no box of the model's labels was drawn, and none found"):
        guesses(Found((none,), (none,), 0.0))
