"""A team's own detector by one command, on two photos."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.packages import open_package
from services.packages.trial import verify

pytest.importorskip("ultralytics", reason="needs the training environment")

ROOT = Path(__file__).parents[2]
INIT = ROOT / "models" / "objects" / "1.1.0"

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own


@pytest.fixture
def photos(tmp_path):
    """Two photos with a box each: of a label that the default detector knows, and of a new one."""
    folder = tmp_path / "photos"
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text("cat\nsaucer\n")
    for name, line in (("cat", "0 0.5 0.5 0.9 0.9\n"), ("coffee", "1 0.5 0.6 0.7 0.6\n")):
        shutil.copyfile(ROOT / "tests/photos" / f"{name}.jpg", folder / "images" / f"{name}.jpg")
        (folder / "labels" / f"{name}.txt").write_text(line)
    return folder


def run(tmp_path, photos, epochs, version):
    from training.objects import main

    arguments = ["finetune", "--data", str(photos), "--val", str(photos), "--init", str(INIT)]
    arguments += ["--name", "mine", "--version", version, "--epochs", str(epochs)]
    arguments += ["--work", str(tmp_path / "work"), "--output", str(tmp_path / "models")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_photos_of_ones_own_become_a_package_of_ones_own(tmp_path, photos):
    output = run(tmp_path, photos, 1, "1.0.0")

    package = verify(tmp_path / "models" / "mine" / "1.0.0")
    assert [label.id for label in package.manifest.labels] == ["cat", "saucer"]
    assert "AGPL-3.0" in package.manifest.license.id
    assert "AP50" in (package.path / "card.md").read_text()
    assert "python -m training.compare" in output


def test_a_run_that_was_stopped_goes_on_and_its_package_can_be_taught_again(tmp_path, photos):
    run(tmp_path, photos, 1, "1.0.0")
    shutil.rmtree(tmp_path / "models")

    again = run(tmp_path, photos, 2, "1.0.0")

    assert "epoch 1:" not in again
    assert "epoch 2:" in again
    from training.yolo import from_onnx

    made = open_package(tmp_path / "models" / "mine" / "1.0.0")
    assert from_onnx(made.file("detector"), ("cat", "saucer")).model[-1].nc == 2
