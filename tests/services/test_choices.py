"""Callers' options against a package: which labels, which thresholds."""

import pytest

from chassis.errors import InvalidRequest
from services.choices import Choices
from services.decisions import Edges
from services.served_sets import served_sets
from services.thresholds import Band
from tests.fakes import fake_package
from trilens.v1.detector_pb2 import DetectionOptions

MANIFEST = fake_package().manifest
CHOICES = Choices(MANIFEST, served_sets(MANIFEST))  # dog and cat; 0.5 by default, 0.8 if strict


@pytest.mark.parametrize(
    ("options", "thresholds"),
    [
        (DetectionOptions(), {"dog": 0.5, "cat": 0.5}),
        (DetectionOptions(threshold_set="strict-v1"), {"dog": 0.8, "cat": 0.8}),
        (DetectionOptions(score_threshold=0), {"dog": 0, "cat": 0}),
        (DetectionOptions(label_thresholds={"cat": 0.25}), {"dog": 0.5, "cat": 0.25}),
        (
            DetectionOptions(score_threshold=0.75, label_thresholds={"cat": 0.25}),
            {"dog": 0.75, "cat": 0.25},
        ),
        (
            DetectionOptions(threshold_set="strict-v1", label_thresholds={"cat": 0.25}),
            {"dog": 0.8, "cat": 0.25},
        ),
        (DetectionOptions(allow_labels=["dog"]), {"dog": 0.5}),
        (DetectionOptions(deny_labels=["dog"]), {"cat": 0.5}),
        (DetectionOptions(allow_labels=["dog", "cat"], deny_labels=["dog"]), {"cat": 0.5}),
        (DetectionOptions(allow_labels=["dog"], deny_labels=["dog"]), {}),
        (DetectionOptions(allow_labels=["dog"], label_thresholds={"cat": 0.25}), {"dog": 0.5}),
    ],
    ids=str,
)
def test_the_nearest_threshold_counts_and_deny_goes_before_allow(
    options: DetectionOptions, thresholds: dict[str, float]
) -> None:
    assert CHOICES.choose(options).edges == {k: Edges.at(v) for k, v in thresholds.items()}


@pytest.mark.parametrize(
    ("options", "cat"),
    [
        (DetectionOptions(threshold_set="careful-v1"), Edges.of(Band(present=0.95, absent=0.15))),
        (DetectionOptions(threshold_set="mute-v1"), Edges.of(Band(present=None, absent=0.15))),
        (DetectionOptions(threshold_set="mute-v1", score_threshold=0.25), Edges.at(0.25)),
        (DetectionOptions(threshold_set="mute-v1", label_thresholds={"cat": 0}), Edges.at(0)),
    ],
    ids=str,
)
def test_a_callers_threshold_stands_for_both_edges_of_the_set(
    options: DetectionOptions, cat: Edges
) -> None:
    assert CHOICES.choose(options).edges["cat"] == cat


def test_the_threshold_set_is_named() -> None:
    assert CHOICES.choose(DetectionOptions()).threshold_set == "default-v1"
    assert CHOICES.choose(DetectionOptions(threshold_set="strict-v1")).threshold_set == "strict-v1"


def test_names_that_the_package_lacks_are_refused_all_at_once() -> None:
    options = DetectionOptions(allow_labels=["cow"], threshold_set="loose")

    with pytest.raises(InvalidRequest) as refusal:
        CHOICES.choose(options)

    assert [one.field for one in refusal.value.violations] == [
        "options.allow_labels",
        "options.threshold_set",
    ]
