"""What a manifest may say."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.manifest import Manifest
from tests.fakes import manifest_fields


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
        ({"runtime": "magic"}, "runtime: Input should be 'onnxruntime', 'tensorflow' or"),
        ({"batch_sizes": [2, 1]}, ": Value error, batch_sizes: must rise"),
        ({"batch_sizes": []}, "batch_sizes: Tuple should have at least 1 item"),
        ({"max_side": 8}, "max_side: Input should be greater than or equal to 16"),
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
            {"default_threshold_set": "none"},
            ": Value error, threshold_sets: 'none' is missing",
        ),
        (
            {"threshold_sets": {"default": {"cow": 0.5, "*": 0.5}}},
            ": Value error, threshold_sets.default: unknown labels ['cow']",
        ),
        (
            {"threshold_sets": {"default": {"dog": 0.5}}},
            ": Value error, threshold_sets.default: no threshold for ['cat']",
        ),
        (
            {"threshold_sets": {"default": {"*": 1.5}}},
            "threshold_sets.default.*: Input should be less than or equal to 1",
        ),
        (
            {"task": "caption", "threshold_sets": {"other": {"*": 0.5}}},
            ": Value error, threshold_sets: 'default' is missing",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], expected: str) -> None:
    assert problem(**changes).startswith(expected)


def test_a_label_takes_its_own_threshold_before_the_one_for_all() -> None:
    sets = {"default": {"dog": 0.25, "*": 0.5}, "strict": {"*": 0.875}}
    manifest = Manifest.model_validate(manifest_fields(threshold_sets=sets))

    assert manifest.thresholds() == {"dog": 0.25, "cat": 0.5}
    assert manifest.thresholds("strict") == {"dog": 0.875, "cat": 0.875}
    with pytest.raises(KeyError):
        manifest.thresholds("loose")
