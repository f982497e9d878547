"""A caller's choice of labels and thresholds, resolved against a package."""

from dataclasses import dataclass
from typing import Final

from chassis.errors import InvalidRequest
from chassis.options import LabelOptions, Options, Vocabulary, violations
from services.manifest import Manifest

PATH: Final = "options"


@dataclass(frozen=True, slots=True)
class Choice:
    """The labels to answer, each with its threshold, and the set the thresholds began with."""

    thresholds: dict[str, float]
    threshold_set: str


def checked(options: Options, manifest: Manifest) -> None:
    """Raises InvalidRequest with everything that is wrong with the options."""
    labels = frozenset(label.id for label in manifest.labels)
    found = tuple(violations(options, Vocabulary(labels, manifest.threshold_sets), PATH))
    if found:
        raise InvalidRequest(*found)


def choose(options: LabelOptions, manifest: Manifest) -> Choice:
    """The caller's choice: their label's threshold, else their own for all, else the set's.

    Raises InvalidRequest with everything that is wrong with the options.
    """
    checked(options, manifest)
    threshold_set = options.threshold_set or manifest.default_threshold_set
    thresholds = manifest.thresholds(threshold_set)
    if options.HasField("score_threshold"):
        thresholds = dict.fromkeys(thresholds, options.score_threshold)
    thresholds.update(options.label_thresholds)
    denied = frozenset(options.deny_labels)
    allowed = frozenset(options.allow_labels or thresholds) - denied
    return Choice({k: v for k, v in thresholds.items() if k in allowed}, threshold_set)
