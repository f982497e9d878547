"""Callers' options: every violation with its path."""

import math

import pytest

from chassis.options import MAX_LABELS, Options, Vocabulary, unknown_names, violations
from trilens.v1.captioner_pb2 import CaptionOptions
from trilens.v1.classifier_pb2 import ClassificationOptions
from trilens.v1.detector_pb2 import DetectionOptions
from trilens.v1.explanation_pb2 import ExplainFaces

KNOWN = Vocabulary(frozenset({"dog", "cat"}), frozenset({"default", "strict"}), explains=True)


def told(options: Options) -> list[str]:
    found = (*violations(options, "options"), *unknown_names(options, KNOWN, "options"))
    return [f"{one.field}: {one.description}" for one in found]


@pytest.mark.parametrize(
    "options",
    [
        CaptionOptions(),
        CaptionOptions(max_candidates=1, min_mean_log_probability=0),
        CaptionOptions(min_mean_log_probability=-math.inf),
        ClassificationOptions(),
        ClassificationOptions(score_threshold=0, max_faces=0),
        ClassificationOptions(explain=ExplainFaces(max_faces=16, labels=["dog"])),
        CaptionOptions(explain=True),
        DetectionOptions(score_threshold=1, label_thresholds={"dog": 0}),
        DetectionOptions(allow_labels=["dog", "dog"], deny_labels=["dog"]),
        DetectionOptions(threshold_set="strict", max_objects=0),
        DetectionOptions(threshold_set=""),
    ],
    ids=str,
)
def test_options_within_bounds_are_fine(options: Options) -> None:
    assert told(options) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            DetectionOptions(score_threshold=1.5),
            "options.score_threshold: must be within [0, 1], not 1.5",
        ),
        (
            ClassificationOptions(score_threshold=math.nan),
            "options.score_threshold: must be within [0, 1], not nan",
        ),
        (
            DetectionOptions(label_thresholds={"cat": -0.5}),
            "options.label_thresholds[cat]: must be within [0, 1], not -0.5",
        ),
        (
            DetectionOptions(label_thresholds={"cow": 0.5}),
            "options.label_thresholds: the model has no label 'cow'",
        ),
        (
            ClassificationOptions(allow_labels=["cow"]),
            "options.allow_labels: the model has no label 'cow'",
        ),
        (
            DetectionOptions(deny_labels=["cow"]),
            "options.deny_labels: the model has no label 'cow'",
        ),
        (
            DetectionOptions(threshold_set="loose"),
            "options.threshold_set: the model has no threshold set 'loose'",
        ),
        (
            ClassificationOptions(explain=ExplainFaces(max_faces=0)),
            "options.explain.max_faces: must be 1 to 16, not 0",
        ),
        (
            ClassificationOptions(explain=ExplainFaces(labels=["cow"])),
            "options.explain.labels: the model has no label 'cow'",
        ),
        (CaptionOptions(max_candidates=0), "options.max_candidates: must be at least 1"),
        (
            CaptionOptions(min_mean_log_probability=0.5),
            "options.min_mean_log_probability: must be at most 0, not 0.5",
        ),
        (
            CaptionOptions(min_mean_log_probability=math.nan),
            "options.min_mean_log_probability: must be at most 0, not nan",
        ),
    ],
    ids=lambda value: value.split(":")[0] if isinstance(value, str) else "",
)
def test_what_is_wrong_is_told_with_its_path(options: Options, expected: str) -> None:
    assert told(options) == [expected]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    options = DetectionOptions(
        score_threshold=2,
        label_thresholds={"dog": 3, "cow": 0.5},
        allow_labels=["hen"],
        deny_labels=["pig"],
        threshold_set="loose",
    )

    assert len(told(options)) == 6


def test_ranges_can_be_checked_before_the_model_is_known() -> None:
    options = DetectionOptions(allow_labels=["cow"], threshold_set="loose", score_threshold=7)

    found = [f"{one.field}: {one.description}" for one in violations(options, "options")]
    assert found == ["options.score_threshold: must be within [0, 1], not 7"]


def test_more_labels_than_any_model_has_are_refused_without_reading_them_all() -> None:
    options = DetectionOptions(deny_labels=[f"label_{n}" for n in range(100 * MAX_LABELS)])

    found = told(options)

    assert found[0] == f"options.deny_labels: must name at most {MAX_LABELS} labels"
    assert len(found) == 1 + MAX_LABELS
