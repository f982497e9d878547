"""What is wrong with a caller's options: every violation at once, each with its field's path."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from chassis.errors import Violation
from trilens.v1 import captioner_pb2, classifier_pb2, detector_pb2

LabelOptions = classifier_pb2.ClassificationOptions | detector_pb2.DetectionOptions
Options = LabelOptions | captioner_pb2.CaptionOptions

# More than any model has labels; bounds what checking a hostile request costs.
MAX_LABELS: Final = 1000
_LABEL_FIELDS: Final = ("label_thresholds", "allow_labels", "deny_labels")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a model's options may name."""

    labels: frozenset[str]
    threshold_sets: frozenset[str]


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


def unknown_names(options: Options, known: Vocabulary, path: str) -> Iterator[Violation]:
    """Labels and threshold sets that a model has not; what only its own service can tell."""
    if isinstance(options, captioner_pb2.CaptionOptions):
        return
    for field in _LABEL_FIELDS:
        for label in sorted(set(islice(getattr(options, field), MAX_LABELS)) - known.labels):
            yield Violation(f"{path}.{field}", f"the model has no label {label!r}")
    chosen = options.threshold_set
    if chosen and chosen not in known.threshold_sets:
        yield Violation(f"{path}.threshold_set", f"the model has no threshold set {chosen!r}")


def _of_threshold(value: float, path: str) -> Iterator[Violation]:
    if not 0 <= value <= 1:  # refuses NaN, too
        yield Violation(path, f"must be within [0, 1], not {value:g}")


def _of_captions(options: captioner_pb2.CaptionOptions, path: str) -> Iterator[Violation]:
    if options.HasField("max_candidates") and options.max_candidates < 1:
        yield Violation(f"{path}.max_candidates", "must be at least 1")
    bound = options.min_mean_log_probability
    if math.isnan(bound) or bound > 0:
        yield Violation(f"{path}.min_mean_log_probability", f"must be at most 0, not {bound:g}")
