"""A caller's choice of labels and thresholds, resolved against a model's manifest."""

from dataclasses import dataclass
from typing import Final

from chassis.errors import InvalidRequest
from chassis.options import LabelOptions, Options, Vocabulary, unknown_names, violations
from services.manifest import Manifest

PATH: Final = "options"


@dataclass(frozen=True, slots=True)
class Choice:
    """The labels to answer, each with its threshold, and the set the thresholds began with."""

    thresholds: dict[str, float]
    threshold_set: str


class Choices:
    """What callers may choose of one model; made once, when it is loaded."""

    def __init__(self, manifest: Manifest) -> None:
        labels = frozenset(label.id for label in manifest.labels)
        self._known = Vocabulary(labels, frozenset(manifest.threshold_sets))
        self._default = manifest.default_threshold_set
        self._thresholds = {name: manifest.thresholds(name) for name in manifest.threshold_sets}

    def check(self, options: Options) -> None:
        """Raises InvalidRequest with everything that is wrong with the options."""
        found = (*violations(options, PATH), *unknown_names(options, self._known, PATH))
        if found:
            raise InvalidRequest(*found)

    def choose(self, options: LabelOptions) -> Choice:
        """The caller's choice: their label's threshold, else their own for all, else the set's.

        Raises InvalidRequest with everything that is wrong with the options.
        """
        self.check(options)
        threshold_set = options.threshold_set or self._default
        thresholds = dict(self._thresholds[threshold_set])
        if options.HasField("score_threshold"):
            thresholds = dict.fromkeys(thresholds, options.score_threshold)
        thresholds.update(options.label_thresholds)
        denied = frozenset(options.deny_labels)
        allowed = frozenset(options.allow_labels or thresholds) - denied
        return Choice({k: v for k, v in thresholds.items() if k in allowed}, threshold_set)
