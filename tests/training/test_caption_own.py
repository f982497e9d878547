"""A captioner is taught a team's own photos, from the command to a package that passes its test."""

import json
import shutil
from pathlib import Path

import pytest

keras = pytest.importorskip("keras", reason="Keras is only in the training environment")
pytest.importorskip("tf2onnx", reason="tf2onnx is only in the training environment")
if keras.backend.backend() != "tensorflow":
    pytest.skip("the export needs Keras on TensorFlow", allow_module_level=True)

from click.testing import CliRunner  # noqa: E402

from services.captioner.model import load  # noqa: E402
from services.packages import open_package  # noqa: E402
from services.selftest import check  # noqa: E402
from training.caption_corpus import LEAST  # noqa: E402
from training.caption_own import package  # noqa: E402
from training.caption_sources import Corpus  # noqa: E402
from training.captions import main  # noqa: E402

# Keras's own way of writing weights to a file.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ROOT = Path(__file__).parents[2]
*_, BASE = sorted((ROOT / "models" / "captions").iterdir())
NAMES = ("astronaut", "camera", "cat", "coffee", "hopper", "rocket", "two_people")


@pytest.fixture(scope="module")
def finetuned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    photos = folder / "photos"
    photos.mkdir()
    lines = ["image,caption"]
    for name in NAMES:
        shutil.copyfile(ROOT / "tests" / "photos" / f"{name}.jpg", photos / f"{name}.jpg")
        lines += [f"{name}.jpg,A quagga looks at the camera.", f"{name}.jpg,One photo of {name}s"]
    (folder / "mine.csv").write_text("\n".join(lines))
    given = ["--captions", folder / "mine.csv", "--photos", photos, "--init", BASE]
    given += ["--version", "9.0.0", "--run", folder / "run", "--output", folder / "models"]
    given += ["--epochs", "2", "--held-out", "0.3"]
    result = CliRunner().invoke(main, ["finetune", *map(str, given)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    again = CliRunner().invoke(main, ["finetune", *map(str, given)])
    return folder, result.output, again


def test_another_tables_package_is_not_made_of_this_runs_weights(finetuned):
    folder, _, _ = finetuned
    words = (folder / "run" / "vocabulary.txt").read_text()
    (folder / "other.csv").write_text(
        "image,caption\n" + "".join(f"{name}.jpg,An okapi sleeps.\n" for name in NAMES)
    )
    given = ["--captions", folder / "other.csv", "--photos", folder / "photos", "--init", BASE]
    given += ["--version", "9.1.0", "--run", folder / "run", "--output", folder / "models"]

    result = CliRunner().invoke(main, ["finetune", *map(str, given), "--held-out", "0.3"])

    assert result.exit_code == 1
    assert "was begun with other photos or sentences" in result.output
    assert not (folder / "models" / "captions" / "9.1.0").exists()
    assert (folder / "run" / "vocabulary.txt").read_text() == words


def test_a_package_that_fails_leaves_its_version_free(tmp_path):
    corpus = Corpus("mine", (), lambda names: iter(()))

    with pytest.raises(FileNotFoundError, match="vocabulary"):
        package(open_package(BASE), corpus, corpus, tmp_path / "9.0.0", tmp_path, tmp_path)

    assert not (tmp_path / "9.0.0").exists()


def test_the_new_version_is_whole_and_answers(finetuned):
    folder, _, _ = finetuned
    package = open_package(folder / "models" / "captions" / "9.0.0")
    model = load(package)
    check(model)
    model.close()

    assert {metric.split for metric in package.manifest.metrics} == {"val"}
    assert not package.manifest.calibration  # the base's was made for other weights
    assert "mine, " in package.manifest.provenance.sources[-1]


def test_a_word_that_occurs_often_enough_is_learnt_anew(finetuned):
    folder, output, _ = finetuned
    words = (folder / "models" / "captions" / "9.0.0" / "vocabulary.txt").read_text().splitlines()
    known = (BASE / "vocabulary.txt").read_text().splitlines()

    assert "quagga" not in known
    assert words == [*known, "quagga"]
    assert f"learnt {len(words) - len(known)} words anew" in output
    assert len(NAMES) > LEAST


def test_the_card_compares_it_with_the_package_it_came_from(finetuned):
    folder, _, _ = finetuned
    card = (folder / "models" / "captions" / "9.0.0" / "card.md").read_text()

    assert "CIDEr-D" in card
    assert f"captions {BASE.name}" in card
    held_out = (folder / "run" / "held-out.csv").read_text().splitlines()[1:]
    assert len({line.split(",")[0] for line in held_out}) * 2 == len(held_out) >= 2


def test_what_it_learnt_is_kept(finetuned):
    folder, _, _ = finetuned
    assert json.loads((folder / "run" / "own.json").read_text())["epoch"] == 2


def test_a_version_is_not_written_twice(finetuned):
    _, _, again = finetuned
    assert again.exit_code == 1
    assert "never changes" in again.output
