"""What a manifest may say."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.manifest import Calibration, Manifest
from services.thresholds import Band
from tests.fakes import manifest_fields

EVEN = {"present": 0.5, "absent": 0.5}
FIGURE = {"name": "AP", "value": 0.5, "dataset": "photos", "split": "test", "count": 90}


def sets(rest: dict[str, float] | None = None, **labels: dict[str, float]) -> dict[str, Any]:
    """A threshold set of these bands."""
    return {"labels": labels if rest is None else {**labels, "*": rest}}


def problem(**changes: Any) -> str:
    """What is said of a manifest with these changes."""
    task = changes.pop("task", "detection")
    with pytest.raises(ValidationError) as refusal:
        Manifest.model_validate(manifest_fields(task, **changes))
    (one,) = refusal.value.errors()
    return ": ".join([".".join(map(str, one["loc"])), one["msg"]])


@pytest.mark.parametrize("task", ["classification", "caption", "detection"])
def test_a_manifest_of_each_task_is_read_and_written_alike(task: str) -> None:
    manifest = Manifest.model_validate(manifest_fields(task))

    again = Manifest.model_validate_json(manifest.model_dump_json(by_alias=True))

    assert again == manifest
    assert manifest.task == task


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": "Objects"}, "name: String should match pattern"),
        ({"version": "1.0"}, "version: String should match pattern"),
        ({"runtime": "magic"}, "runtime: Input should be 'onnxruntime', 'tensorflow',"),
        ({"batch_sizes": [2, 1]}, ": Value error, batch_sizes: must rise"),
        ({"batch_sizes": []}, "batch_sizes: Tuple should have at least 1 item"),
        ({"max_side": 8}, "max_side: Input should be greater than or equal to 16"),
        ({"max_side": 4097}, "max_side: Input should be less than or equal to 4096"),
        ({"artifacts": {}}, "artifacts: Dictionary should have at least 1 item"),
        (
            {"labels": [{"id": "dog", "name": "Dog"}] * 2},
            ": Value error, labels: ids must differ",
        ),
        (
            {"calibration": {"cow": {"scale": 1, "offset": 0}}},
            ": Value error, calibration: unknown labels cow",
        ),
        (
            {"calibration": {"dog": {"scale": 0, "offset": 0}}},
            "calibration.dog.scale: Input should be greater than 0",
        ),
        (
            {"default_threshold_set": "none-v1"},
            ": Value error, threshold_sets: 'none-v1' is missing",
        ),
        (
            {"default_threshold_set": "default"},
            "default_threshold_set: String should match pattern",
        ),
        (
            {"threshold_sets": {"default-v1": sets(cow=EVEN, rest=EVEN)}},
            ": Value error, threshold_sets.default-v1: unknown labels cow",
        ),
        (
            {"threshold_sets": {"default-v1": sets(dog=EVEN)}},
            ": Value error, threshold_sets.default-v1: no threshold for cat",
        ),
        (
            {"threshold_sets": {"default-v1": sets(rest={"present": 1.5, "absent": 0.5})}},
            "threshold_sets.default-v1.labels.*.present: Input should be less than or equal to 1",
        ),
        (
            {"threshold_sets": {"default-v1": sets(rest={"present": 0.25, "absent": 0.5})}},
            "threshold_sets.default-v1.labels.*: Value error, absent is 0.5, above present: 0.25",
        ),
        (
            {"threshold_sets": {"default-v1": {"labels": {}}}},
            "threshold_sets.default-v1.labels: Dictionary should have at least 1 item",
        ),
        (
            {"task": "caption", "default_threshold_set": "default-v1"},
            ": Value error, threshold_sets: a caption model has none",
        ),
        (
            {"metrics": [FIGURE | {"low": 0.5}]},
            "metrics.0: Value error, low and high belong together",
        ),
        (
            {"metrics": [FIGURE | {"low": 0.5, "high": 0.4}]},
            "metrics.0: Value error, low is 0.5, above high: 0.4",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], expected: str) -> None:
    assert problem(**changes).startswith(expected)


def test_a_figure_may_have_an_interval() -> None:
    (figure,) = Manifest.model_validate(
        manifest_fields(metrics=[FIGURE | {"low": 0.4, "high": 0.6}])
    ).metrics

    assert (figure.low, figure.value, figure.high) == (0.4, 0.5, 0.6)


def test_a_label_takes_its_own_band_before_the_one_for_the_rest() -> None:
    dogs = {"present": 0.25, "absent": 0.125}
    manifest = Manifest.model_validate(
        manifest_fields(threshold_sets={"default-v1": sets(dog=dogs, rest=EVEN)})
    )

    assert manifest.bands() == {
        "dog": Band(present=0.25, absent=0.125),
        "cat": Band(present=0.5, absent=0.5),
    }


def test_a_label_takes_its_own_calibration_before_the_one_for_the_rest() -> None:
    fits = {"dog": {"scale": 2, "offset": 1}, "*": {"scale": 0.5, "offset": -1}}
    calibrated = Manifest.model_validate(manifest_fields(calibration=fits))
    plain = Manifest.model_validate(manifest_fields())

    assert calibrated.calibration_of("dog") == Calibration(scale=2, offset=1)
    assert calibrated.calibration_of("cat") == Calibration(scale=0.5, offset=-1)
    assert plain.calibration_of("cat") == Calibration(scale=1, offset=0)
