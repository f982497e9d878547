"""A caller's choice of labels and thresholds, resolved against a model's threshold sets."""

from dataclasses import dataclass
from typing import Final

from chassis.errors import InvalidRequest
from chassis.options import LabelOptions, Options, Vocabulary, unknown_names, violations
from services.decisions import Edges
from services.manifest import Manifest
from services.served_sets import ServedSets

PATH: Final = "options"


@dataclass(frozen=True, slots=True)
class Choice:
    """The labels to answer, each with its edges, and the set that the edges began with."""

    edges: dict[str, Edges]
    threshold_set: str


class Choices:
    """What callers may choose of one model; made once, when it is loaded."""

    def __init__(self, manifest: Manifest, sets: ServedSets, *, explains: bool = False) -> None:
        labels = frozenset(label.id for label in manifest.labels)
        self._known = Vocabulary(labels, sets.names(), explains)
        self._sets = sets
        self._edges = {
            cited: {label: Edges.of(one.band(label)) for label in labels}
            for cited, one in sets.by_id.items()
        }

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
        threshold_set = self._sets.cited(options.threshold_set or self._sets.default)
        edges = dict(self._edges[threshold_set])
        if options.HasField("score_threshold"):
            edges = dict.fromkeys(edges, Edges.at(options.score_threshold))
        edges.update({k: Edges.at(own) for k, own in options.label_thresholds.items()})
        denied = frozenset(options.deny_labels)
        allowed = frozenset(options.allow_labels or edges) - denied
        return Choice({k: v for k, v in edges.items() if k in allowed}, threshold_set)
