"""Threshold sets from files beside a package: how they are cited, and which are refused."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from services.packages import InvalidPackage
from services.served_sets import served_sets
from services.thresholds import ThresholdFile
from tests.fakes import THRESHOLD_SETS, fake_package

OBJECTS = fake_package().manifest  # objects 1.2.3, which knows dogs and cats
BANDS = {"*": {"present": 0.75, "absent": 0.25}}


def write(path: Path, **changes: Any) -> Path:
    """A set for the model that the tests have."""
    path.write_text(json.dumps({"id": "mine-v1", "model": "objects", "labels": BANDS} | changes))
    return path


def test_without_files_the_packages_own_sets_are_served() -> None:
    sets = served_sets(OBJECTS)

    assert set(sets.by_id) == set(THRESHOLD_SETS)
    assert sets.default == "default-v1"


def test_a_set_from_a_file_is_cited_with_the_files_digest(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.json")

    sets = served_sets(OBJECTS, [file])

    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert set(sets.by_id) == {*THRESHOLD_SETS, f"mine-v1+{digest[:12]}"}
    assert sets.default == "default-v1"
    assert sets.cited("mine-v1") == sets.cited(f"mine-v1+{digest[:12]}") == f"mine-v1+{digest[:12]}"
    with pytest.raises(KeyError):
        sets.cited("mine-v1+000000000000")


def test_the_same_id_with_other_values_is_cited_otherwise(tmp_path: Path) -> None:
    one = served_sets(OBJECTS, [write(tmp_path / "one.json")])
    other = served_sets(
        OBJECTS, [write(tmp_path / "other.json", labels={"*": {"present": 0.8, "absent": 0.25}})]
    )

    assert one.cited("mine-v1") != other.cited("mine-v1")


@pytest.mark.parametrize("default", ["mine-v1", "strict-v1"])
def test_the_operator_says_which_set_is_the_default(tmp_path: Path, default: str) -> None:
    sets = served_sets(OBJECTS, [write(tmp_path / "mine.json")], default)

    assert sets.default == sets.cited(default)


def test_a_file_may_be_for_one_version_only(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.json", version="1.2.3")

    assert served_sets(OBJECTS, [file]).cited("mine-v1")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"labels": {"cow": BANDS["*"], "*": BANDS["*"]}}, "unknown labels cow"),
        ({"labels": {"dog": BANDS["*"]}}, "no threshold for cat"),
        (
            {"labels": {"*": {"present": 0.25, "absent": 0.75}}},
            "labels.*: Value error, absent is 0.75, above present: 0.25",
        ),
        ({"labels": {}}, "labels: Dictionary should have at least 1 item"),
        ({"id": "mine"}, "id: String should match pattern"),
        ({"id": "strict-v1"}, "there is a threshold set 'strict-v1' already"),
        ({"model": "attributes"}, "made for attributes (any version), not for objects 1.2.3"),
        ({"version": "1.0.0"}, "made for objects 1.0.0, not for objects 1.2.3"),
        ({"thresholds": {}}, "thresholds: Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_a_file_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    file = write(tmp_path / "mine.json", **changes)

    with pytest.raises(InvalidPackage) as refusal:
        served_sets(OBJECTS, [file])

    assert str(refusal.value).startswith(f"{file}: {reason}")


def test_two_files_with_the_same_id_are_refused(tmp_path: Path) -> None:
    files = [write(tmp_path / name) for name in ("one.json", "other.json")]

    with pytest.raises(InvalidPackage, match=r"other\.json: there is a threshold set 'mine-v1'"):
        served_sets(OBJECTS, files)


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"[]", b"{"], ids=str)
def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "mine.json"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(InvalidPackage, match=r"mine\.json: "):
        served_sets(OBJECTS, [file])


def test_a_default_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(InvalidPackage, match="no threshold set 'loose-v1'; there is careful-v1, "):
        served_sets(OBJECTS, default="loose-v1")


def test_captions_have_no_threshold_sets(tmp_path: Path) -> None:
    captions = fake_package("caption").manifest

    assert served_sets(captions).default == ""
    with pytest.raises(InvalidPackage, match="a caption model has no threshold sets"):
        served_sets(captions, [write(tmp_path / "mine.json", model="captions")])
    with pytest.raises(InvalidPackage, match="no threshold set 'mine-v1'; there is none"):
        served_sets(captions, default="mine-v1")


def test_what_is_written_with_the_types_is_read_by_them(tmp_path: Path) -> None:
    found = ThresholdFile(id="mine-v1", model="objects", labels=BANDS)  # type: ignore[arg-type]
    file = tmp_path / "mine.json"
    file.write_text(found.model_dump_json())

    sets = served_sets(OBJECTS, [file])

    assert sets.by_id[sets.cited("mine-v1")] == found
