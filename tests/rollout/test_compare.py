"""Real packages on photos with a free licence."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from rollout.compare import command, compare, counted, photos_in
from rollout.judge.expected import Comparison
from rollout.judge.observation import Count

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = ROOT / "models/objects/1.1.0"
PHOTOS = ROOT / "tests/photos"


async def test_a_package_agrees_with_itself_in_everything():
    found = await compare(OBJECTS, OBJECTS, photos_in([PHOTOS]))

    assert found.photos == 8
    assert found.aspects["boxes"].photos == 8
    assert found.aspects["label:person"].photos >= 4
    assert not any(one.different for one in found.aspects.values())


async def test_few_photos_leave_much_to_be_expected():
    found = await compare(OBJECTS, OBJECTS, photos_in([PHOTOS / "cat.jpg"]))

    assert found.aspects["boxes"].at_most > 0.9


async def test_packages_of_two_features_are_no_comparison():
    with pytest.raises(ValueError, match="answers objects"):
        await compare(OBJECTS, ROOT / "models/captions/1.1.0", photos_in([PHOTOS]))


def test_photos_count_where_they_say_something_and_only_once():
    found = [{"boxes": True}, {"boxes": False, "label:dog": False}, {"boxes": True}]

    assert counted(found) == {"boxes": Count(3, 1), "label:dog": Count(1, 1)}


def test_photos_come_from_folders_and_from_lists(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/b.jpg").touch()
    (tmp_path / "a.PNG").touch()
    (tmp_path / "notes.md").touch()
    (tmp_path / "some.txt").write_text("deep/b.jpg\n\n")

    names = [one.name for one in photos_in([tmp_path, tmp_path / "some.txt"])]

    assert names == ["a.PNG", "b.jpg", "b.jpg"]


def test_the_command_writes_what_the_judge_reads(tmp_path):
    out = tmp_path / "comparison.json"

    result = CliRunner().invoke(
        command, [str(OBJECTS), str(OBJECTS), str(PHOTOS), "--out", str(out)]
    )

    assert result.exit_code == 0, result.output
    assert "objects: 1.1.0 and 1.1.0 on 8 photos" in result.output
    assert Comparison.model_validate(json.loads(out.read_text())).feature == "objects"


def test_the_command_says_what_is_wrong_in_one_line(tmp_path):
    (tmp_path / "empty").mkdir()

    result = CliRunner().invoke(command, [str(tmp_path / "empty"), str(OBJECTS), str(PHOTOS)])

    assert result.exit_code == 1
    assert "manifest.json" in result.output
