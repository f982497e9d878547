"""What the maps of an answer say, in words and numbers."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from trilens.v1 import analysis_pb2, classifier_pb2
from trilens.v1 import explanation_pb2 as pb

_DOWN = ("upper", "middle", "lower")
_ACROSS = ("left", "middle", "right")


@dataclass(frozen=True, slots=True)
class Explained:
    """A feature's answer with its explanation."""

    feature: str
    outcome: analysis_pb2.FeatureOutcome
    explanation: pb.Explanation


@dataclass(frozen=True, slots=True)
class Cover:
    """What a label's score hangs on most."""

    score: float  # as answered
    across: float  # middle of the place that it hangs on, in [0, 1] of the photo's width
    down: float  # and of its height
    covered: float  # the score with that place covered


@dataclass(frozen=True, slots=True)
class Look:
    """Where the model looked most when it chose a word."""

    place: str  # such as "lower left", in thirds of the photo
    share: float  # of its attention, in [0, 1]
    even: float  # the share of every place if it had looked at all alike


def explained(response: analysis_pb2.AnalyzeImageResponse) -> Iterator[Explained]:
    """The features that have an explanation, by name."""
    for feature, outcome in sorted(response.outcomes.items()):
        result = outcome.WhichOneof("result")
        if result in ("classification", "caption"):
            answer = getattr(outcome, result)
            if answer.HasField("explanation"):
                yield Explained(feature, outcome, answer.explanation)


def cover(classification: classifier_pb2.Classification, heatmap: pb.Heatmap) -> Cover:
    """What a likely label's score falls most without, and an unlikely one's rises most without."""
    labels = classification.faces[heatmap.face].labels
    score = next((one.score for one in labels if one.label == heatmap.label), 0.0)
    most = max(heatmap.values) if score >= 0.5 else min(heatmap.values)
    row, column = _place(heatmap, most)
    box = heatmap.box
    odds = math.log(_bounded(score) / (1 - _bounded(score))) - most * heatmap.strongest
    return Cover(
        score,
        across=box.x_min + (box.x_max - box.x_min) * (column + 0.5) / heatmap.columns,
        down=box.y_min + (box.y_max - box.y_min) * (row + 0.5) / heatmap.rows,
        covered=1 / (1 + math.exp(-odds)),
    )


def look(heatmap: pb.Heatmap) -> Look:
    """The place with the largest share of attention."""
    most = max(heatmap.values)
    row, column = _place(heatmap, most)
    words = {_DOWN[3 * row // heatmap.rows]: None, _ACROSS[3 * column // heatmap.columns]: None}
    return Look(" ".join(words), most * heatmap.strongest, 1 / len(heatmap.values))


def _place(heatmap: pb.Heatmap, value: float) -> tuple[int, int]:
    """The row and the column that hold a value."""
    return divmod(list(heatmap.values).index(value), heatmap.columns)


def _bounded(score: float) -> float:
    return min(max(score, 1e-7), 1 - 1e-7)
