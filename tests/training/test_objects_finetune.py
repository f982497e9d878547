"""A team's own detector by one command, on two photos."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image, ImageOps

from services.packages import open_package
from services.packages.trial import verify

pytest.importorskip("ultralytics", reason="needs the training environment")

ROOT = Path(__file__).parents[2]
INIT = ROOT / "models" / "objects" / "1.1.0"
BOXES = {"cat": "0 0.5 0.5 0.9 0.9\n", "coffee": "1 0.5 0.6 0.7 0.6\n"}

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's own


def drawn(folder, boxes, change=lambda photo: photo):
    """A folder in YOLO's form: of each of these photos the line of its box, or nothing."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text("cat\nsaucer\n")
    for name, line in boxes.items():
        with Image.open(ROOT / "tests/photos" / f"{name}.jpg") as photo:
            change(photo).save(folder / "images" / f"{name}.png")
        (folder / "labels" / f"{name}.txt").write_text(line)
    return folder


@pytest.fixture
def photos(tmp_path):
    """Two photos with a box each: of a label that the default detector knows, and of a new one."""
    return drawn(tmp_path / "photos", BOXES)


@pytest.fixture
def val(tmp_path):
    """The same in a mirror, and one without a box: of so few, many samples have none."""
    return drawn(tmp_path / "val", BOXES | {"rocket": ""}, ImageOps.mirror)


def finetune(tmp_path, photos, val, *, epochs=1, version="1.0.0", name="mine"):
    from training.objects import main

    arguments = ["finetune", "--data", photos, "--val", val, "--init", INIT, "--epochs", epochs]
    arguments += ["--name", name, "--version", version]
    arguments += ["--work", tmp_path / "work", "--output", tmp_path / "models"]
    return CliRunner().invoke(main, [*map(str, arguments)])


def run(tmp_path, photos, val, epochs, version):
    result = finetune(tmp_path, photos, val, epochs=epochs, version=version)
    assert result.exit_code == 0, result.output
    return result.output


def test_photos_of_ones_own_become_a_package_of_ones_own(tmp_path, photos, val):
    output = run(tmp_path, photos, val, 1, "1.0.0")

    package = verify(tmp_path / "models" / "mine" / "1.0.0")
    assert [label.id for label in package.manifest.labels] == ["cat", "saucer"]
    assert "AGPL-3.0" in package.manifest.license.id
    assert "AP50" in (package.path / "card.md").read_text()
    assert "python -m training.compare" in output


def test_a_run_that_was_stopped_goes_on_and_its_package_can_be_taught_again(tmp_path, photos, val):
    run(tmp_path, photos, val, 1, "1.0.0")
    shutil.rmtree(tmp_path / "models")

    again = run(tmp_path, photos, val, 2, "1.0.0")

    assert "epoch 1:" not in again
    assert "epoch 2:" in again
    from training.yolo import from_onnx

    made = open_package(tmp_path / "models" / "mine" / "1.0.0")
    assert from_onnx(made.file("detector"), ("cat", "saucer")).model[-1].nc == 2


def test_a_run_does_not_go_on_with_other_boxes(tmp_path, photos, val):
    run(tmp_path, photos, val, 1, "1.0.0")
    shutil.rmtree(tmp_path / "models")
    (photos / "labels" / "cat.txt").write_text("0 0.5 0.5 0.5 0.5\n")

    again = finetune(tmp_path, photos, val, epochs=2)

    assert again.exit_code == 1
    assert "was begun with other photos or boxes" in again.output
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": "My Objects"}, "'My Objects' is not a name of a-z"),
        ({"version": "v1"}, "'v1' is not a version like 1.0.0"),
    ],
)
def test_a_name_that_no_package_can_have_is_refused_before_anything_is_learnt(
    tmp_path, photos, val, change, problem
):
    ended = finetune(tmp_path, photos, val, **change)

    assert ended.exit_code == 2
    assert problem in ended.output


def test_photos_that_are_learnt_do_not_calibrate(tmp_path, photos):
    ended = finetune(tmp_path, photos, photos)

    assert ended.exit_code == 1
    assert "2 photos of --val are in --data, too" in ended.output
    assert not (tmp_path / "work").exists()


def test_both_folders_have_the_same_classes(tmp_path, photos, val):
    (val / "classes.txt").write_text("saucer\ncat\n")

    ended = finetune(tmp_path, photos, val)

    assert ended.exit_code == 1
    assert "differ in their classes.txt" in ended.output
