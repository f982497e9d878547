"""Where two answers to one photo agree: pure, so every aspect is tried both ways."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.agreement import agreement
from trilens.v1 import captioner_pb2, classifier_pb2, decision_pb2, detector_pb2, image_pb2

HERE = (0.1, 0.1, 0.5, 0.5)
THERE = (0.6, 0.6, 0.9, 0.9)
Corners = tuple[float, float, float, float]


def box(corners: Corners) -> image_pb2.BoundingBox:
    return image_pb2.BoundingBox(
        x_min=corners[0], y_min=corners[1], x_max=corners[2], y_max=corners[3]
    )


def shifted(corners: Corners, by: float) -> Corners:
    return (corners[0] + by, corners[1], corners[2] + by, corners[3])


def things(*found: tuple[str, float, Corners], uncertain: bool = False) -> detector_pb2.Detection:
    decision = decision_pb2.DECISION_UNCERTAIN if uncertain else decision_pb2.DECISION_PRESENT
    return detector_pb2.Detection(
        objects=[
            {"label": label, "score": score, "box": box(corners), "decision": decision}
            for label, score, corners in found
        ]
    )


def faces(*found: tuple[Corners, dict[str, float]]) -> classifier_pb2.Classification:
    def label(name: str, score: float) -> Any:
        present = score >= 0.5
        decision = decision_pb2.DECISION_PRESENT if present else decision_pb2.DECISION_ABSENT
        return {"label": name, "score": score, "decision": decision}

    return classifier_pb2.Classification(
        faces=[
            {"box": box(corners), "labels": [label(*one) for one in scores.items()]}
            for corners, scores in found
        ]
    )


def sentence(text: str) -> captioner_pb2.Caption:
    return captioner_pb2.Caption(text=text)


def test_the_same_objects_agree_in_every_aspect() -> None:
    seen = things(("dog", 0.9, HERE), ("cat", 0.8, THERE))

    assert agreement(seen, seen) == {
        "boxes": True,
        "place": True,
        "score": True,
        "label:dog": True,
        "label:cat": True,
    }


def test_a_lost_object_differs_in_its_own_label_and_in_the_boxes() -> None:
    found = agreement(things(("dog", 0.9, HERE), ("cat", 0.8, THERE)), things(("dog", 0.9, HERE)))

    assert found == {
        "boxes": False,
        "place": True,
        "score": True,
        "label:dog": True,
        "label:cat": False,
    }


def test_an_object_of_another_label_is_no_partner() -> None:
    found = agreement(things(("dog", 0.9, HERE)), things(("cat", 0.9, HERE)))

    assert found == {"boxes": False, "label:dog": False, "label:cat": False}


def test_one_box_is_not_the_partner_of_two() -> None:
    found = agreement(
        things(("dog", 0.9, HERE), ("dog", 0.8, shifted(HERE, 0.01))), things(("dog", 0.9, HERE))
    )

    assert not found["label:dog"]


def test_boxes_that_moved_a_little_have_partners_and_lost_their_place() -> None:
    found = agreement(things(("dog", 0.9, HERE)), things(("dog", 0.9, shifted(HERE, 0.06))))

    assert (found["boxes"], found["place"]) == (True, False)


def test_what_is_uncertain_is_no_answered_box() -> None:
    found = agreement(things(), things(("dog", 0.3, HERE), uncertain=True))

    assert found == {"boxes": True}


def test_a_score_that_moved_by_more_than_a_tenth_differs() -> None:
    assert agreement(things(("dog", 0.9, HERE)), things(("dog", 0.75, HERE)))["score"] is False
    assert agreement(things(("dog", 0.9, HERE)), things(("dog", 0.85, HERE)))["score"] is True


def test_a_flip_at_the_threshold_differs_in_its_own_label() -> None:
    one = faces((HERE, {"smiling": 0.52, "glasses": 0.9}), (THERE, {"smiling": 0.9}))
    other = faces((HERE, {"smiling": 0.48, "glasses": 0.9}), (THERE, {"smiling": 0.9}))

    assert agreement(one, other) == {
        "faces": True,
        "label:smiling": False,
        "label:glasses": True,
        "score": True,
    }


def test_faces_are_matched_by_place_and_not_by_order() -> None:
    one = faces((HERE, {"smiling": 0.9}), (THERE, {"smiling": 0.1}))
    other = faces((THERE, {"smiling": 0.1}), (HERE, {"smiling": 0.9}))

    assert agreement(one, other) == {"faces": True, "label:smiling": True, "score": True}


def test_faces_that_only_one_model_found_say_nothing_about_labels() -> None:
    assert agreement(faces((HERE, {"smiling": 0.9})), faces()) == {"faces": False}


def test_a_label_that_neither_sees_says_nothing() -> None:
    found = agreement(faces((HERE, {"smiling": 0.3})), faces((HERE, {"smiling": 0.1})))

    assert found == {"faces": True, "score": False}


def test_a_label_that_one_model_lacks_differs() -> None:
    found = agreement(faces((HERE, {"smiling": 0.9})), faces((HERE, {"grinning": 0.9})))

    assert found == {"faces": True, "label:smiling": False, "label:grinning": False}


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("A dog runs.", "a dog runs", {"empty": True, "words": True}),
        ("a dog runs on grass", "a dog runs on sand", {"empty": True, "words": True}),
        ("a dog runs", "two people stand", {"empty": True, "words": False}),
        ("a a a a", "a dog", {"empty": True, "words": False}),
        ("a dog runs", "", {"empty": False}),
        ("", "", {"empty": True}),
    ],
)
def test_captions_agree_by_the_words_they_share(
    one: str, other: str, found: dict[str, bool]
) -> None:
    assert agreement(sentence(one), sentence(other)) == found


fractions = st.floats(0, 1, width=32)
edges = st.tuples(st.integers(0, 31), st.integers(32, 64)).map(lambda pair: [n / 64 for n in pair])
corners = st.tuples(edges, edges).map(lambda xy: (xy[0][0], xy[1][0], xy[0][1], xy[1][1]))
detections = st.lists(st.tuples(st.sampled_from(["dog", "cat"]), fractions, corners), max_size=6)
classifications = st.lists(
    st.tuples(corners, st.dictionaries(st.sampled_from(["smiling", "glasses"]), fractions)),
    max_size=4,
)
results = st.one_of(
    detections.map(lambda found: things(*found)),
    classifications.map(lambda found: faces(*found)),
    st.text(alphabet="ab .", max_size=12).map(sentence),
)


@given(results)
def test_every_answer_agrees_with_itself(one: Any) -> None:
    assert all(agreement(one, one).values())


@given(detections, detections)
def test_boxes_agree_if_and_only_if_every_label_does(one: Any, other: Any) -> None:
    found = agreement(things(*one), things(*other))

    labels = [same for aspect, same in found.items() if aspect.startswith("label:")]
    assert found["boxes"] == all(labels)


def test_photos_full_of_boxes_are_compared_in_milliseconds() -> None:
    seen = things(*(("dog", 0.9, (n / 400, 0.1, n / 400 + 0.2, 0.9)) for n in range(300)))

    began = time.process_time()
    found = agreement(seen, seen)

    assert found["boxes"]
    assert time.process_time() - began < 0.5
