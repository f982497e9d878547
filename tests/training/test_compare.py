"""Two packages on the same photos: which is better, how surely, and what its notes say of it."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from services.captioner.settings import CaptionerSettings
from services.detector.model import load
from services.manifest import Calibration
from services.packages.command import commands
from services.packages.golden import complete
from services.thresholds import ThresholdFile
from tests.harness import ROOT
from tests.training.tiny import detector, drawn_photos
from training.compare import examples
from training.compare import main as compare_command
from training.comparison import common_labels, compare
from training.evaluate import main as evaluate_command
from training.threshold_fit import DEFAULT_POLICY, FitPolicy
from training.thresholds import calibrated_anew
from training.thresholds import main as thresholds_command

CAPTIONS = ROOT / CaptionerSettings.model_fields["model"].default


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return drawn_photos(tmp_path_factory.mktemp("drawn") / "dogs")


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    return detector(folder / "1.0.0", "1.0.0", shifted=0.3), detector(folder / "1.1.0", "1.1.0")


def run(command, *arguments):
    """As a team runs it that has not the project's data."""
    return CliRunner().invoke(command, [*map(str, arguments)], env={"TRILENS_DATA": "nowhere"})


def compared(packages, photos, **options):
    old, new = packages
    return compare(old, new, examples(old, photos, "", photos, None), **options)


def test_a_package_that_finds_what_the_other_misses_is_better_beyond_doubt(packages, photos):
    found = compared(packages, photos)
    figures = {one.figure.name: one for one in found.figures}

    assert (found.count, found.unit, found.dataset) == (40, "photos", "dogs")
    assert figures["AP50"].old == pytest.approx(0, abs=0.01)
    assert figures["AP50"].new == pytest.approx(1)
    assert figures["AP50"].better == 1
    assert {one.verdict for one in found.figures} == {"better"}
    assert figures["dog AP50"].difference.low > 0.5
    assert found.disagreement["boxes"] == 1  # every box of the one lies beside the other's


def test_the_other_way_round_it_is_worse(packages, photos):
    new, old = packages

    assert {one.verdict for one in compared((old, new), photos).figures} == {"worse"}


def test_a_package_is_no_better_than_itself(packages, photos):
    found = compared((packages[0], packages[0]), photos)

    assert {one.verdict for one in found.figures} == {"no clear difference"}
    assert found.disagreement == {"boxes": 0}


def test_labels_are_compared_that_both_packages_know(packages, photos, tmp_path):
    fewer = detector(tmp_path / "fewer", "2.0.0", labels=("dog", "horse"))
    drawn = examples(fewer, photos, "", photos, None)

    assert common_labels(drawn, packages[0], fewer) == ("dog",)


def test_packages_without_a_common_label_are_not_compared(packages, photos, tmp_path):
    other = detector(tmp_path / "other", "1.0.0", labels=("horse", "cow"))

    ended = run(compare_command, packages[0].path, other.path, "--own", photos)

    assert ended.exit_code == 1
    assert "no label is known to all: the examples name dog, cat" in ended.output


def test_packages_of_different_tasks_are_not_compared(packages, photos):
    ended = run(compare_command, packages[0].path, CAPTIONS, "--own", photos)

    assert ended.exit_code == 1
    assert "is for detection" in ended.output


def test_a_folder_without_photos_is_named(packages, tmp_path):
    ended = run(compare_command, packages[0].path, packages[1].path, "--own", tmp_path)

    assert ended.exit_code == 1
    assert f"{tmp_path / 'images'} holds no photo" in ended.output


@pytest.mark.parametrize("command", ["compare", "evaluate", "thresholds"])
def test_without_the_projects_data_or_ones_own_it_is_said_how_to_name_them(
    packages, tmp_path, command
):
    arguments = {
        "compare": (compare_command, packages[0].path, packages[1].path),
        "evaluate": (evaluate_command, packages[0].path),
        "thresholds": (thresholds_command, packages[0].path, "--output", tmp_path / "set.json"),
    }

    ended = run(*arguments[command])

    assert ended.exit_code == (2 if command == "evaluate" else 1)
    assert "nowhere" in ended.output
    assert "--data" in ended.output


@pytest.mark.parametrize("text", ["T-shirt\nHard hat", "T-shirt\r\nHard hat\r\n\r\n"])
def test_names_of_classes_are_those_of_labels_however_the_file_ends(tmp_path, text):
    drawn = drawn_photos(tmp_path / "drawn", 12)
    (drawn / "classes.txt").write_bytes(text.encode())
    package = detector(tmp_path / "1.0.0", "1.0.0", labels=("t_shirt", "hard_hat"))

    ended = run(evaluate_command, package.path, "--own", drawn)

    assert ended.exit_code == 0, ended.output
    assert "12 photos of drawn" in ended.output


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("dog\n\ncat\n", "a label's name on every line"),
        ("\n", "a label's name on every line"),
        ("Hard hat\ncat\nhard-hat\n", "names one label twice: Hard hat, hard-hat"),
        ("cat\ndog\n", "belong to no photo, such as dog.txt"),
    ],
)
def test_a_folder_whose_names_do_not_fit_is_refused(packages, tmp_path, text, problem):
    drawn = drawn_photos(tmp_path / "drawn", 4)
    (drawn / "classes.txt").write_text(text)
    if "no photo" in problem:
        (drawn / "labels" / "dog.txt").write_text("0 0.5 0.5 0.5 0.5\n")
        (drawn / "labels" / "classes.txt").write_text(text)

    ended = run(evaluate_command, packages[0].path, "--own", drawn)

    assert ended.exit_code == 1
    assert problem in ended.output


def test_release_notes_say_what_is_better_and_what_else_changed(packages, photos, tmp_path):
    old, new = packages
    altered = tmp_path / "1.2.0"
    shutil.copytree(new.path, altered)
    terms = {"id": "MIT", "text": "Do as you like.", "commercial_use": True}
    fields = new.manifest.model_dump(mode="json", by_alias=True, exclude={"golden"}) | {
        "version": "1.2.0",
        "license": terms,
        "calibration": {"*": {"scale": 2.0, "offset": 0.0}},
        "threshold_sets": {"even-v1": {"labels": {"*": {"present": 0.75, "absent": 0.25}}}},
    }
    complete(altered, fields, [ROOT / "tests/photos/cat.jpg"], load)
    notes = tmp_path / "notes.md"

    ended = run(compare_command, old.path, altered, "--own", photos, "--notes", notes)

    assert ended.exit_code == 0, ended.output
    text = notes.read_text()
    assert text.startswith("# things 1.2.0\n")
    assert "**Better:** AP50, AP, dog AP50." in text
    assert "dog, cat present from 0.75, absent below 0.25." in text
    assert "**Scores** are calibrated anew" in text
    assert "**Terms changed** to MIT" in text
    assert "Compared with things 1.0.0" in text
    assert "| AP50" in text
    assert "`python -m training.compare models/things/1.0.0 models/things/1.2.0 --own ...`" in text
    assert "AP50" in ended.output


def test_one_package_is_measured_with_intervals(packages, photos):
    ended = run(evaluate_command, packages[1].path, "--own", photos, "--samples", 50)

    assert ended.exit_code == 0, ended.output
    assert "40 photos of dogs" in ended.output
    assert "1.000 to 1.000" in ended.output


def test_a_package_of_other_labels_is_not_measured_as_the_default_one(packages, tmp_path):
    data = tmp_path / "data" / "detection"
    data.mkdir(parents=True)
    (data / "classes.txt").write_text("person\nbicycle\n")

    ended = run(evaluate_command, packages[0].path, "--data", data.parent)

    assert ended.exit_code == 1
    assert "has other labels than COCO" in ended.output
    assert "--own" in ended.output


def test_thresholds_are_fitted_anew_without_new_weights(packages, photos, tmp_path):
    file = tmp_path / "careful.json"

    ended = run(
        thresholds_command, packages[1].path, "--own", photos, "--output", file, "--number", 3
    )

    assert ended.exit_code == 0, ended.output
    found = ThresholdFile.model_validate_json(file.read_bytes())
    assert (found.id, found.model, found.version) == ("precision-90-v3", "things", "1.1.0")
    dogs = found.band("dog")  # by the set's rest, since few boxes were drawn
    assert 0.3 < dogs.present < 0.42  # photos lighter than 0.4 show one
    assert dogs.when_present.precision >= 0.9
    assert dogs.when_present.precision_low < dogs.when_present.precision
    assert "0.9" in ended.output


def test_scores_are_calibrated_before_if_that_is_asked_for(packages, photos, tmp_path):
    file, fits = tmp_path / "set.json", tmp_path / "fits.json"

    ended = run(
        thresholds_command,
        packages[1].path,
        *("--own", photos, "--output", file, "--calibration", fits),
    )

    assert ended.exit_code == 0, ended.output
    fit = json.loads(fits.read_text())["*"]
    # The same boxes are given as without, by scores that are said otherwise.
    scores = np.array([0.3, 0.42])
    low, high = 1 / (1 + np.exp(-(fit["scale"] * np.log(scores / (1 - scores)) + fit["offset"])))
    assert fit["scale"] > 1
    assert low < ThresholdFile.model_validate_json(file.read_bytes()).band("dog").present < high


def test_a_detectors_labels_with_fits_of_their_own_are_calibrated_after_these(packages, photos):
    sharper = Calibration(scale=3.0, offset=0.5)
    manifest = packages[1].manifest.model_copy(update={"calibration": {"dog": sharper}})
    package = replace(packages[1], manifest=manifest)
    known = examples(package, photos, "", photos, None)

    fits = calibrated_anew(package, known, FitPolicy.read(DEFAULT_POLICY)).manifest.calibration

    plain = calibrated_anew(packages[1], known, FitPolicy.read(DEFAULT_POLICY)).manifest.calibration
    # Whatever was said before, what is said now is what was right on these photos.
    assert fits["dog"].scale == pytest.approx(plain["*"].scale, rel=0.01)
    assert fits["dog"].offset == pytest.approx(plain["*"].offset, rel=0.01)


def test_a_set_fitted_anew_takes_no_id_of_the_packages_own(packages, photos, tmp_path):
    file, policy = tmp_path / "set.json", tmp_path / "policy.json"
    policy.write_text(DEFAULT_POLICY.read_text().replace("precision-90", "even"))

    ended = run(
        thresholds_command,
        packages[1].path,
        *("--own", photos, "--policy", policy, "--output", file),
    )

    assert ended.exit_code == 0, ended.output
    assert "even-v1" in packages[1].manifest.threshold_sets
    assert ThresholdFile.model_validate_json(file.read_bytes()).id == "even-v2"


def test_captions_have_no_thresholds(tmp_path):
    table = tmp_path / "sentences.csv"
    table.write_text("image,caption\ncat.jpg,A cat .\n")

    ended = run(
        thresholds_command,
        CAPTIONS,
        *("--own", table, "--photos", ROOT / "tests/photos", "--output", tmp_path / "set.json"),
    )

    assert ended.exit_code == 1
    assert "captions have no thresholds" in ended.output


def test_a_policy_that_is_none_is_refused_by_name(packages, photos, tmp_path):
    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps({"name": "mine"}))

    ended = run(
        thresholds_command,
        packages[1].path,
        *("--own", photos, "--policy", policy, "--output", tmp_path / "set.json"),
    )

    assert ended.exit_code == 1
    assert str(policy) in ended.output
    assert "target_precision" in ended.output


def test_captioners_are_compared_by_their_first_sentences(tmp_path):
    words = (CAPTIONS / "vocabulary.txt").read_text().splitlines()
    words[words.index("a")] = "ein"
    (tmp_path / "words.txt").write_text("\n".join(words) + "\n")
    built = CliRunner().invoke(
        commands,
        [
            *("build", "--task", "caption", "--base", str(CAPTIONS), "--output", str(tmp_path)),
            *("--weights", f"vocabulary={tmp_path / 'words.txt'}", "--name", "germans"),
            *("--version", "1.0.0", "--photo", str(ROOT / "tests/photos/cat.jpg")),
        ],
    )
    assert built.exit_code == 0, built.output
    table = tmp_path / "sentences.csv"
    table.write_text(
        "image,caption\ncat.jpg,A brown dog is playing .\ncat.jpg,A dog with its mouth open .\n"
        "astronaut.jpg,A man in a red shirt .\nastronaut.jpg,A woman in an orange suit .\n"
    )

    ended = run(
        compare_command,
        *(CAPTIONS, tmp_path / "germans" / "1.0.0"),
        *("--own", table, "--photos", ROOT / "tests/photos", "--samples", 100),
    )

    assert ended.exit_code == 0, ended.output
    rows = {line.split("|")[1].strip(): line for line in ended.output.splitlines() if "|" in line}
    assert rows.keys() >= {"BLEU-1", "BLEU-4", "CIDEr-D"}
    assert f"captions {CAPTIONS.name}" in rows["figure"]
    assert "germans 1.0.0" in rows["figure"]
    assert "-0." in rows["BLEU-1"]  # nobody says "ein"
    assert "100.0% of photos" in ended.output
