"""What is wrong with a caller's options: every violation at once, each with its field's path."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from chassis.errors import Violation
from trilens.v1 import captioner_pb2, classifier_pb2, detector_pb2, explanation_pb2

LabelOptions = classifier_pb2.ClassificationOptions | detector_pb2.DetectionOptions
Options = LabelOptions | captioner_pb2.CaptionOptions

# More than any model has labels; bounds what checking a hostile request costs.
MAX_LABELS: Final = 1000
MAX_EXPLAINED_FACES: Final = 16
_LABEL_FIELDS: Final = ("label_thresholds", "allow_labels", "deny_labels")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a model's options may name."""

    labels: frozenset[str]
    threshold_sets: frozenset[str]
    explains: bool = False  # whether it can say what its answers rest on


def violations(options: Options, path: str) -> Iterator[Violation]:
    """What is wrong with the options whatever the model: ranges and sizes."""
    if isinstance(options, captioner_pb2.CaptionOptions):
        yield from _of_captions(options, path)
        return
    if options.HasField("score_threshold"):
        yield from _of_threshold(options.score_threshold, f"{path}.score_threshold")
    for field in _LABEL_FIELDS:
        if len(getattr(options, field)) > MAX_LABELS:
            yield Violation(f"{path}.{field}", f"must name at most {MAX_LABELS} labels")
    for label, threshold in sorted(islice(options.label_thresholds.items(), MAX_LABELS)):
        yield from _of_threshold(threshold, f"{path}.label_thresholds[{label}]")
    if isinstance(options, classifier_pb2.ClassificationOptions):
        yield from _of_faces(options.explain, f"{path}.explain")


def unknown_names(options: Options, known: Vocabulary, path: str) -> Iterator[Violation]:
    """What a model has not: labels, threshold sets, explanations; only its own service can tell."""
    if asks_why(options) and not known.explains:
        yield Violation(f"{path}.explain", "this model explains nothing here")
    if isinstance(options, captioner_pb2.CaptionOptions):
        return
    for field in _LABEL_FIELDS:
        yield from _of_labels(getattr(options, field), known, f"{path}.{field}")
    if isinstance(options, classifier_pb2.ClassificationOptions):
        yield from _of_labels(options.explain.labels, known, f"{path}.explain.labels")
    chosen = options.threshold_set
    if chosen and chosen not in known.threshold_sets:
        yield Violation(f"{path}.threshold_set", f"the model has no threshold set {chosen!r}")


def asks_why(options: Options) -> bool:
    """Whether an explanation is asked for."""
    if isinstance(options, captioner_pb2.CaptionOptions):
        return options.explain
    return isinstance(options, classifier_pb2.ClassificationOptions) and options.HasField("explain")


def _of_labels(given: Iterable[str], known: Vocabulary, path: str) -> Iterator[Violation]:
    for label in sorted(set(islice(given, MAX_LABELS)) - known.labels):
        yield Violation(path, f"the model has no label {label!r}")


def _of_faces(explain: explanation_pb2.ExplainFaces, path: str) -> Iterator[Violation]:
    if explain.HasField("max_faces") and not 1 <= explain.max_faces <= MAX_EXPLAINED_FACES:
        yield Violation(
            f"{path}.max_faces", f"must be 1 to {MAX_EXPLAINED_FACES}, not {explain.max_faces}"
        )
    if len(explain.labels) > MAX_LABELS:
        yield Violation(f"{path}.labels", f"must name at most {MAX_LABELS} labels")


def _of_threshold(value: float, path: str) -> Iterator[Violation]:
    if not 0 <= value <= 1:  # refuses NaN, too
        yield Violation(path, f"must be within [0, 1], not {value:g}")


def _of_captions(options: captioner_pb2.CaptionOptions, path: str) -> Iterator[Violation]:
    if options.HasField("max_candidates") and options.max_candidates < 1:
        yield Violation(f"{path}.max_candidates", "must be at least 1")
    bound = options.min_mean_log_probability
    if math.isnan(bound) or bound > 0:
        yield Violation(f"{path}.min_mean_log_probability", f"must be at most 0, not {bound:g}")
