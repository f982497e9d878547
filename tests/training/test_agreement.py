"""How predictions of two runtimes are compared."""

import pytest

from services.captioner.model import Candidate, Captions
from services.classifier.model import Attributes, Face, LabelScore
from services.detector.model import Detection, Detections
from services.model import Box
from training.agreement import of_attributes, of_captions, of_detections

LEFT, RIGHT = Box(0, 0, 0.4, 1), Box(0.6, 0, 1, 1)


def detections(*rows):
    return Detections(tuple(Detection(*row) for row in rows))


def test_the_same_boxes_in_another_order_agree():
    one = detections(("cat", 0.9, LEFT), ("dog", 0.5, RIGHT))
    other = detections(("dog", 0.5, RIGHT), ("cat", 0.9, LEFT))

    found = of_detections([(one, other)], margin=0.01)

    assert (found.compared, found.alone, found.score, found.overlap) == (2, 0, 0, 1)


def test_the_largest_difference_and_the_least_overlap_are_told():
    one = detections(("cat", 0.9, LEFT), ("dog", 0.5, RIGHT))
    other = detections(("cat", 0.88, LEFT), ("dog", 0.5, Box(0.6, 0, 1, 0.9)))

    found = of_detections([(one, other)], margin=0.01)

    assert found.score == pytest.approx(0.02)
    assert found.overlap == pytest.approx(0.9)


def test_a_box_that_only_one_gives_is_alone_unless_it_is_at_the_floor():
    one = detections(("cat", 0.9, LEFT), ("cat", 0.0101, RIGHT))

    found = of_detections([(one, detections()), (detections(), detections())], margin=0.011)

    assert (found.photos, found.compared, found.alone, found.same) == (2, 0, 1, 0)


def test_boxes_of_different_labels_do_not_match():
    pair = detections(("cat", 0.9, LEFT)), detections(("dog", 0.9, LEFT))

    assert of_detections([pair], margin=0.01).alone == 2


def test_faces_are_compared_score_by_score():
    def one_face(score):
        face = Face(LEFT, 0.99, (LabelScore("smiling", score), LabelScore("sunglasses", 0.1)))
        return Attributes((face,), face.scores)

    found = of_attributes([(one_face(0.7), one_face(0.75))])

    assert found.compared == 1
    assert found.score == pytest.approx(0.05)


def test_captions_are_the_same_word_for_word_or_not_at_all():
    def caption(text):
        return Captions((Candidate(text, -3.0, 4),))

    found = of_captions([(caption("A dog."), caption("A dog.")), (caption("A."), caption("B."))])

    assert (found.compared, found.alone, found.same) == (1, 1, 0.5)
