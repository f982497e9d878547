"""Photos that cannot be read are named before anything is learnt or measured of the others."""

import shutil

import pytest
from click.testing import CliRunner

from services.captioner.settings import CaptionerSettings
from services.classifier.settings import ClassifierSettings
from tests.harness import PHOTOS, ROOT
from tests.training.tiny import detector, drawn_photos
from training.evaluate import main as evaluate_command
from training.own_photos import check_photos
from training.tested_boxes import own

ATTRIBUTES = ROOT / ClassifierSettings.model_fields["model"].default
CAPTIONS = ROOT / CaptionerSettings.model_fields["model"].default


@pytest.fixture
def photos(tmp_path):
    """One photo, a part of another, and a text."""
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copyfile(PHOTOS / "astronaut.jpg", folder / "whole.jpg")
    (folder / "cut.jpg").write_bytes((PHOTOS / "cat.jpg").read_bytes()[:5000])
    (folder / "text.jpg").write_text("not found")
    return folder


def evaluated(package, *arguments):
    return CliRunner().invoke(evaluate_command, [str(package), *map(str, arguments)])


@pytest.mark.parametrize(
    ("package", "table"),
    [
        (ATTRIBUTES, "file,smiling\nwhole.jpg,1\ncut.jpg,0\ntext.jpg,1\n"),
        (CAPTIONS, "image,caption\nwhole.jpg,A woman\ncut.jpg,A cat\ntext.jpg,A text\n"),
    ],
    ids=["attributes", "captions"],
)
def test_all_photos_of_a_table_that_cannot_be_read_are_named_at_once(photos, package, table):
    (photos / "mine.csv").write_text(table)

    ended = evaluated(package, "--own", photos / "mine.csv")

    assert ended.exit_code == 1
    assert f"{photos / 'cut.jpg'}: a truncated JPEG" in ended.output
    assert f"{photos / 'text.jpg'}: not an image" in ended.output
    assert "whole.jpg" not in ended.output


@pytest.mark.parametrize("package", [ATTRIBUTES, CAPTIONS], ids=["attributes", "captions"])
def test_a_table_in_another_encoding_is_named(photos, package):
    (photos / "mine.csv").write_bytes("file,image,caption\nwhole.jpg,Käse\n".encode("cp1252"))

    ended = evaluated(package, "--own", photos / "mine.csv")

    assert ended.exit_code == 1
    assert "mine.csv is not UTF-8 text" in ended.output


def test_so_are_those_of_a_folder(photos, tmp_path):
    folder = drawn_photos(tmp_path / "drawn", 4)
    shutil.copyfile(photos / "cut.jpg", folder / "images" / "cut.jpg")

    ended = evaluated(detector(tmp_path / "1.0.0", "1.0.0").path, "--own", folder)

    assert ended.exit_code == 1
    assert f"{folder / 'images' / 'cut.jpg'}: a truncated JPEG" in ended.output


def test_files_that_a_system_hides_beside_photos_are_no_photos(tmp_path):
    folder = drawn_photos(tmp_path / "drawn", 4)
    (folder / "images" / ".DS_Store").write_bytes(b"Bud1")

    assert len(own(folder, None, None).photos) == 4


def test_of_many_a_few_are_named_and_the_rest_counted(photos):
    with pytest.raises(ValueError, match=r"(text\.jpg.*){5}; and 2 more$"):
        check_photos([photos / "text.jpg"] * 7)
