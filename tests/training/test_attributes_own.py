"""A team's own photos make the next version of a package, by one command."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

keras = pytest.importorskip("keras", reason="Keras is installed for training only")
if keras.backend.backend() != "tensorflow":
    pytest.skip("training needs Keras on TensorFlow", allow_module_level=True)
pytest.importorskip("tqdm", reason="tqdm is installed for training only")

from services.classifier.settings import ClassifierSettings  # noqa: E402 (needs Keras)
from services.packages import open_package  # noqa: E402
from tests.harness import PHOTOS, ROOT  # noqa: E402
from training.attributes import main  # noqa: E402
from training.attributes_own import _parts  # noqa: E402
from training.faces_own import LabelledFaces  # noqa: E402

BASE = ROOT / ClassifierSettings().model


def own(folder, count=20, label="smiling"):
    """A table beside photos: one face, lit in as many ways."""
    folder.mkdir()
    with Image.open(PHOTOS / "astronaut.jpg") as photo:
        face = np.asarray(photo.convert("RGB").resize((256, 256)), np.float32)
    rows = [("file", label)]
    for number in range(count):
        name = f"{number:02}.jpg"
        light = np.clip(face * (0.6 + 0.03 * number), 0, 255).astype(np.uint8)
        Image.fromarray(light[:, :: -1 if number % 2 else 1]).save(folder / name)
        rows.append((name, number % 2))
    with (folder / "mine.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "mine.csv"


def finetune(table, output):
    arguments = ("--faces", table, "--init", BASE, "--version", "9.9.9", "--output", output)
    return CliRunner().invoke(main, ["finetune", *map(str, arguments), "--epochs", "1"])


@pytest.mark.filterwarnings("ignore")  # Keras's own
def test_own_photos_make_the_next_version_with_its_release_notes(tmp_path):
    result = finetune(own(tmp_path / "mine"), tmp_path / "models")

    assert result.exit_code == 0, result.output
    made = open_package(tmp_path / "models" / "attributes" / "9.9.9")
    base = json.loads((BASE / "manifest.json").read_text())
    assert made.manifest.provenance.sources[-1].endswith("trained on with mine.csv")
    # Four faces to choose by are too few to calibrate or to fit thresholds on.
    assert made.manifest.model_dump(mode="json")["calibration"] == base["calibration"]
    (kept,) = made.manifest.threshold_sets.values()
    before = open_package(BASE).manifest.bands()
    assert {k: (one.present, one.absent) for k, one in made.manifest.bands().items()} == {
        k: (one.present, one.absent) for k, one in before.items()
    }
    # What they reached, they reached with other weights.
    assert kept.policy is None
    assert not any(one.when_present or one.when_absent for one in kept.labels.values())
    assert "AUC smiling" in (made.path / "card.md").read_text()
    assert made.manifest.artifacts["attributes"].sha256 != base["artifacts"]["attributes"]["sha256"]


def faces(images, groups=()):
    count = len(images)
    return LabelledFaces(
        *("mine", "own", np.array(images, np.uint8), tuple(map(str, range(count)))),
        *(("smiling",), np.zeros((count, 1), np.int8)),
        groups=groups,
    )


def test_who_is_learnt_neither_chooses_nor_compares():
    groups = tuple(f"person {number % 15}" for number in range(60))
    found = _parts(faces([[[[number]]] for number in range(60)], groups), 1)
    persons = {part: {groups[place] for place in places} for part, places in found.items()}

    assert {part: len(places) for part, places in found.items()} == {
        "train": 36,
        "val": 12,
        "test": 12,
    }
    assert not persons["train"] & persons["val"]
    assert not (persons["train"] | persons["val"]) & persons["test"]


def test_neither_does_the_same_picture_under_another_name():
    found = _parts(faces([[[[number // 2]]] for number in range(60)]), 1)
    pictures = [{place // 2 for place in places} for places in found.values()]

    assert sum(map(len, pictures)) == 30


def test_too_few_groups_to_part_are_refused():
    with pytest.raises(ValueError, match="2 groups are too few"):
        _parts(faces([[[[number]]] for number in range(40)], ("a", "b") * 20), 1)


@pytest.mark.parametrize(
    ("count", "label", "problem"),
    [(3, "smiling", "3 faces were found; wanted are 20"), (3, "beard", "beard is not a label of")],
)
def test_a_table_that_cannot_be_trained_with_is_refused(tmp_path, count, label, problem):
    result = finetune(own(tmp_path / "mine", count, label), tmp_path / "models")

    assert result.exit_code == 1
    assert problem in result.output
    assert not (tmp_path / "models").exists()
