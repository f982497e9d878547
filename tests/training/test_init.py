"""A package of another kind than what is taught is refused before anything is learnt."""

import pytest
from click.testing import CliRunner

from services.captioner.settings import CaptionerSettings
from services.detector.settings import DetectorSettings
from tests.harness import PHOTOS, ROOT
from tests.training.tiny import drawn_photos
from training.captions import main as captions
from training.objects import main as objects

CAPTIONS = ROOT / CaptionerSettings.model_fields["model"].default
OBJECTS = ROOT / DetectorSettings.model_fields["model"].default


def finetune(command, tmp_path, *arguments):
    folders = ("--version", "9.9.9", "--output", tmp_path / "models")
    return CliRunner().invoke(command, ["finetune", *map(str, (*arguments, *folders))])


def test_a_detector_teaches_no_captioner(tmp_path):
    pytest.importorskip("tf2onnx", reason="needs the training environment")
    (tmp_path / "mine.csv").write_text("image,caption\ncat.jpg,A cat\ncoffee.jpg,A cup\n")
    table = ("--captions", tmp_path / "mine.csv", "--photos", PHOTOS, "--run", tmp_path / "run")

    ended = finetune(captions, tmp_path, *table, "--init", OBJECTS)

    assert ended.exit_code == 1
    assert "is for detection, not for caption" in ended.output
    assert not (tmp_path / "run").exists()


def test_a_captioner_teaches_no_detector(tmp_path):
    pytest.importorskip("ultralytics", reason="needs the training environment")
    drawn = drawn_photos(tmp_path / "drawn", 4)
    folders = ("--data", drawn, "--val", drawn, "--work", tmp_path / "work")

    ended = finetune(objects, tmp_path, *folders, "--init", CAPTIONS, "--name", "mine")

    assert ended.exit_code == 1
    assert "is for caption, not for detection" in ended.output
    assert not (tmp_path / "work").exists()
