"""Whether a served answer says what bench/plain.py says of the same photo."""

from collections.abc import Mapping

from bench.limit import Answer
from bench.load import Check
from bench.photos import BenchPhoto
from trilens.v1 import analysis_pb2 as pb

# Scores are compared to this: the two decoders of photos that are no JPEGs differ a little.
_TOLERANCE = 0.02


def checker(expected: Mapping[str, Answer]) -> Check:
    """A check against what each photo's answer must be, by the photo's name."""

    def check(photo: BenchPhoto, answer: pb.AnalyzeImageResponse) -> str:
        if answer.completeness != pb.COMPLETENESS_FULL:
            states = {f: pb.State.Name(o.state) for f, o in answer.outcomes.items()}
            return f"not complete: {states}"
        wanted = expected[photo.name]
        return (
            _captions(answer.outcomes["captions"], wanted.caption)
            or _objects(answer.outcomes["objects"], wanted.objects)
            or _faces(answer.outcomes["attributes"], wanted.faces)
        )

    return check


def _captions(outcome: pb.FeatureOutcome, wanted: str) -> str:
    said = outcome.caption.text
    return "" if said == wanted else f"caption {said!r}, not {wanted!r}"


def _objects(outcome: pb.FeatureOutcome, wanted: tuple[tuple[str, float, float], ...]) -> str:
    found = [(one.label, one.score) for one in outcome.detection.objects]
    # An object at the edge of its threshold may be there or not.
    sure = [(label, score) for label, score, threshold in wanted if score > threshold + _TOLERANCE]
    if all(any(_same(one, other) for other in found) for one in sure):
        return ""
    return f"objects {found}, not {wanted}"


def _same(one: tuple[str, float], other: tuple[str, float]) -> bool:
    return one[0] == other[0] and abs(one[1] - other[1]) <= _TOLERANCE


def _faces(outcome: pb.FeatureOutcome, wanted: tuple[dict[str, float], ...]) -> str:
    found = [{one.label: one.score for one in face.labels} for face in outcome.classification.faces]
    if len(found) == len(wanted) and all(
        abs(face[label] - score) <= _TOLERANCE
        for face, scores in zip(found, wanted, strict=True)
        for label, score in scores.items()
    ):
        return ""
    return f"faces {found}, not {wanted}"
