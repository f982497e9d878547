"""agreement(): where two answers to one photo agree, aspect by aspect; pure.

A photo counts at most once in an aspect: photos are independent of each other, the boxes or words
of one are not. An aspect that a photo says nothing about is left out.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.tasks import Result
from trilens.v1 import captioner_pb2, classifier_pb2, decision_pb2, detector_pb2

# Two boxes are of one thing from this overlap on (intersection over union).
SAME_PLACE: Final = 0.5
# Half of the things stay this much in place, or the photo's boxes have moved.
STEADY_PLACE: Final = 0.85
# A score that moves by more has changed.
STEADY_SCORE: Final = 0.1
# Captions that share less of their words (F1) say something else.
SAME_WORDS: Final = 0.5

_WORD: Final = re.compile(r"\w+")
_PRESENT: Final = decision_pb2.DECISION_PRESENT


class Pair(NamedTuple):
    """Two boxes of one thing: the left one's place in its list, the right one's, the overlap."""

    left: int
    right: int
    overlap: float


def agreement(left: Result, right: Result) -> dict[str, bool]:
    """Whether two results of one task agree, by aspect; either may be the stable model's.

    classification: `faces` (as many, at the same places), `label:ID` (the same decision for every
    face that both found and one of them gives it to), `score` (none of those faces' scores moved).
    detection: `boxes` (every object has a partner of its label at its place), `label:ID` (so have
    those of that label), `place` (partners overlap well), `score`. caption: `empty` (both or
    neither), `words`.
    """
    return _BY_RESULT[type(left)](left, right)


def _classification(
    left: classifier_pb2.Classification, right: classifier_pb2.Classification
) -> dict[str, bool]:
    pairs = matched([face.box for face in left.faces], [face.box for face in right.faces])
    found = {"faces": len(pairs) == len(left.faces) == len(right.faces)}
    moved: list[float] = []
    for pair in pairs:
        ours = {one.label: one for one in left.faces[pair.left].labels}
        theirs = {one.label: one for one in right.faces[pair.right].labels}
        for label in ours.keys() | theirs.keys():
            known = label in ours and label in theirs
            decisions = {face[label].decision for face in (ours, theirs) if label in face}
            # Where neither sees it there is nothing to agree on: a rare label would hide there.
            if _PRESENT in decisions:
                same = known and len(decisions) == 1
                found[f"label:{label}"] = same and found.get(f"label:{label}", True)
            if known:
                moved.append(abs(ours[label].score - theirs[label].score))
    return found | dict(_steady(moved))


def _detection(left: detector_pb2.Detection, right: detector_pb2.Detection) -> dict[str, bool]:
    ours, theirs = _by_label(left), _by_label(right)
    found = {"boxes": True}
    overlaps: list[float] = []
    moved: list[float] = []
    for label in ours.keys() | theirs.keys():
        one, other = ours.get(label, []), theirs.get(label, [])
        pairs = matched([thing.box for thing in one], [thing.box for thing in other])
        found[f"label:{label}"] = len(pairs) == len(one) == len(other)
        found["boxes"] = found["boxes"] and found[f"label:{label}"]
        overlaps += [pair.overlap for pair in pairs]
        moved += [abs(one[pair.left].score - other[pair.right].score) for pair in pairs]
    if overlaps:
        found["place"] = median(overlaps) >= STEADY_PLACE
    return found | dict(_steady(moved))


def _caption(left: captioner_pb2.Caption, right: captioner_pb2.Caption) -> dict[str, bool]:
    ours, theirs = _words(left.text), _words(right.text)
    found = {"empty": bool(ours) == bool(theirs)}
    if ours and theirs:
        shared = (ours & theirs).total()
        found["words"] = 2 * shared / (ours.total() + theirs.total()) >= SAME_WORDS
    return found


_BY_RESULT: Final[Mapping[type[Result], Callable[[Any, Any], dict[str, bool]]]] = {
    classifier_pb2.Classification: _classification,
    detector_pb2.Detection: _detection,
    captioner_pb2.Caption: _caption,
}


def matched(left: Sequence[Any], right: Sequence[Any]) -> list[Pair]:
    """Boxes of one thing, each used once, those that overlap most first."""
    if not left or not right:
        return []
    overlaps = _overlaps(_corners(left), _corners(right))
    near = np.argwhere(overlaps >= SAME_PLACE)
    best_first = near[np.argsort(-overlaps[tuple(near.T)], kind="stable")]
    pairs: list[Pair] = []
    free_left, free_right = set(range(len(left))), set(range(len(right)))
    for one, other in best_first.tolist():
        if one in free_left and other in free_right:
            free_left.remove(one)
            free_right.remove(other)
            pairs.append(Pair(one, other, float(overlaps[one, other])))
    return pairs


def _corners(boxes: Sequence[Any]) -> NDArray[np.float64]:
    return np.array([(box.x_min, box.y_min, box.x_max, box.y_max) for box in boxes], np.float64)


def _overlaps(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    low = np.maximum(left[:, None, :2], right[None, :, :2])
    high = np.minimum(left[:, None, 2:], right[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (left, right)]
    union = areas[0][:, None] + areas[1][None, :] - shared
    ratio: NDArray[np.float64] = np.divide(
        shared, union, out=np.zeros_like(shared), where=union > 0
    )
    return ratio


def _by_label(
    detection: detector_pb2.Detection,
) -> dict[str, list[detector_pb2.DetectedObject]]:
    things: dict[str, list[detector_pb2.DetectedObject]] = {}
    for thing in detection.objects:
        if thing.decision == _PRESENT:
            things.setdefault(thing.label, []).append(thing)
    return things


def _steady(moved: Sequence[float]) -> Iterator[tuple[str, bool]]:
    if moved:
        yield "score", max(moved) <= STEADY_SCORE


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text.lower()))
