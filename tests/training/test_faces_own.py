"""A team's table of faces: read as it is meant, or refused with the reason; then compared."""

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from services.classifier.model import ARTIFACT, OUTPUT, load
from services.classifier.settings import ClassifierSettings
from services.manifest import Calibration
from services.packages import open_package
from services.packages.golden import complete
from tests.harness import ROOT
from tests.training.tiny import write_model
from training.compare import main as compare_command
from training.comparison import compare
from training.faces_data import SIDE, UNKNOWN
from training.faces_own import LabelledFaces, own_faces
from training.threshold_fit import DEFAULT_POLICY, FitPolicy
from training.thresholds import calibrated_anew, fitted

onnx_helper = pytest.importorskip("onnx").helper

PHOTOS = ROOT / "tests" / "photos"
BASE = ROOT / ClassifierSettings.model_fields["model"].default
TABLE = "file,smiling,beard\nastronaut.jpg,1,0\nhopper.jpg,,0\ncoffee.jpg,0,\n"


@pytest.fixture
def table(tmp_path):
    file = tmp_path / "faces.csv"
    file.write_text(TABLE, encoding="utf-8-sig")  # as spreadsheets write it
    return file


def test_the_surest_face_of_each_photo_is_framed_and_photos_without_are_told(table):
    faces = own_faces(table, PHOTOS, open_package(BASE))

    assert faces.names == ("astronaut.jpg", "hopper.jpg")
    assert faces.lost == ("coffee.jpg",)
    assert faces.label_ids == ("smiling", "beard")
    assert faces.labels.tolist() == [[1, 0], [UNKNOWN, 0]]
    assert faces.images.shape == (2, SIDE, SIDE, 3)
    assert faces.images[0].std() > 20  # a face, not an even colour


def test_tables_of_programs_are_read_with_their_fractions_and_blanks(tmp_path):
    file = tmp_path / "faces.csv"
    file.write_text(
        "file, smiling,group,beard\nastronaut.jpg,1.0,Eileen,\nhopper.jpg, 0.0 ,,0\n"
        "astronaut.jpg,1,Eileen,\n"
    )

    faces = own_faces(file, PHOTOS, open_package(BASE))

    assert faces.label_ids == ("smiling", "beard")
    assert faces.labels.tolist() == [[1, UNKNOWN], [0, 0]]
    assert faces.groups == ("Eileen", "hopper.jpg")


def test_the_trainer_gets_the_labels_that_it_knows(table):
    faces = own_faces(table, PHOTOS, open_package(BASE)).as_faces()

    assert faces.labels.tolist() == [[1, UNKNOWN, UNKNOWN], [UNKNOWN] * 3]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("photo,smiling\na.jpg,1\n", "needs a column file and one for each label"),
        ("file\na.jpg\n", "needs a column file and one for each label"),
        ("file,smiling\n", "names no photo"),
        ("file,group\na.jpg,1\n", "needs a column file and one for each label"),
        (
            "file,smiling\nhopper.jpg,1\nastronaut.jpg,yes\n",
            "line 3: 'yes' is neither 1 nor 0 nor nothing",
        ),
        ("file,smiling\n,1\n", "line 2: names no file"),
        (
            "file,smiling\nhopper.jpg,1\nhopper.jpg,0\n",
            r"line 3: says of hopper\.jpg something else than a line before",
        ),
        ("file,smiling\ncoffee.jpg,0\n", "no face was found in any of 1 photos"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_with_the_reason(tmp_path, text, problem):
    file = tmp_path / "faces.csv"
    file.write_text(text)

    with pytest.raises(ValueError, match=problem):
        own_faces(file, PHOTOS, open_package(BASE))


def test_photos_that_are_not_there_are_named(tmp_path):
    file = tmp_path / "faces.csv"
    file.write_text("file,smiling\nnobody.jpg,1\n")

    with pytest.raises(FileNotFoundError, match=r"lacks 1 photos, such as nobody\.jpg"):
        own_faces(file, PHOTOS, open_package(BASE))


def package(folder, version, sign):
    """Says that light faces (`sign` 1) or dark ones (-1) smile."""
    folder.mkdir()
    nodes = [
        onnx_helper.make_node("ReduceMean", ["images"], ["light"], keepdims=0, axes=[1, 2, 3]),
        onnx_helper.make_node("Unsqueeze", ["light", "axes"], ["column"]),
        onnx_helper.make_node("Mul", ["column", "signs"], [OUTPUT]),
    ]
    base = open_package(BASE)
    side = base.manifest.preprocessing.width
    constants = {"axes": np.array([1]), "signs": np.array([[20 * sign, 0, 0]], np.float32)}
    write_model(folder / "attributes.onnx", nodes, constants, ("n", 3, side, side), OUTPUT)
    for name in ("pnet", "rnet", "onet"):
        (folder / f"{name}.onnx").write_bytes(base.file(name).read_bytes())
    fields = base.manifest.model_dump(mode="json", by_alias=True, exclude={"golden", "metrics"})
    fields |= {
        "version": version,
        "calibration": {},
        "artifacts": {
            name: {"path": f"{name}.onnx"} for name in (ARTIFACT, "pnet", "rnet", "onet")
        },
    }
    return complete(folder, fields, [PHOTOS / "astronaut.jpg"], load)


def test_classifiers_are_compared_label_by_label_over_the_faces_it_is_known_of(tmp_path):
    light = np.linspace(40, 220, 60)
    images = np.broadcast_to(light[:, None, None, None], (60, SIDE, SIDE, 3)).astype(np.uint8)
    labels = np.stack([light > 130, np.full(60, UNKNOWN)], axis=1).astype(np.int8)
    labels[::7, 0] = UNKNOWN
    faces = LabelledFaces(
        "light", "own", images, tuple(map(str, range(60))), ("smiling", "sunglasses"), labels
    )
    wrong, right = package(tmp_path / "a", "1.0.0", -1), package(tmp_path / "b", "1.1.0", 1)

    found = compare(wrong, right, faces, samples=100)
    figures = {one.figure.name: one for one in found.figures}

    assert figures["AUC smiling"].old == 0
    assert figures["AUC smiling"].new == 1
    assert figures["accuracy smiling"].verdict == "better"
    assert figures["ECE smiling"].figure.less_is_better
    assert "AUC sunglasses" not in figures  # nothing is known of it
    assert found.disagreement["faces, smiling"] > 0.8
    assert found.disagreement["faces, sunglasses"] == 0


def test_own_faces_are_compared_by_one_command(table):
    arguments = [
        str(BASE),
        str(BASE),
        "--own",
        str(table),
        "--photos",
        str(PHOTOS),
    ]

    ended = CliRunner().invoke(compare_command, arguments, env={"TRILENS_DATA": "nowhere"})

    assert ended.exit_code == 0, ended.output
    assert "2 faces of faces.csv (own)" in ended.output
    assert "0.0% of faces, smiling" in ended.output
    assert "no face was found in 1 of 3 photos, such as coffee.jpg" in ended.output


def test_labels_that_the_examples_do_not_know_keep_their_calibration(tmp_path):
    light = np.linspace(40, 220, 60)
    images = np.broadcast_to(light[:, None, None, None], (60, SIDE, SIDE, 3)).astype(np.uint8)
    smiles = (light > 130).astype(np.int8)[:, None]
    faces = LabelledFaces("light", "own", images, tuple(map(str, range(60))), ("smiling",), smiles)
    old = package(tmp_path / "a", "1.0.0", 1)
    known = {"sunglasses": Calibration(scale=2.0, offset=-1.0)}
    old = replace(old, manifest=old.manifest.model_copy(update={"calibration": known}))

    fits = calibrated_anew(old, faces, FitPolicy.read(DEFAULT_POLICY)).manifest.calibration

    assert fits.keys() == {"smiling", "sunglasses"}
    assert fits["sunglasses"] == known["sunglasses"]


def test_a_label_whose_values_are_exchanged_is_named(tmp_path):
    light = np.linspace(40, 220, 60)
    images = np.broadcast_to(light[:, None, None, None], (60, SIDE, SIDE, 3)).astype(np.uint8)
    dark = (light < 130).astype(np.int8)[:, None]
    faces = LabelledFaces("light", "own", images, tuple(map(str, range(60))), ("smiling",), dark)

    with pytest.raises(ValueError, match=r"^smiling: .*the other way round"):
        calibrated_anew(package(tmp_path / "a", "1.0.0", 1), faces, FitPolicy.read(DEFAULT_POLICY))


def test_thresholds_are_fitted_for_the_labels_that_enough_is_known_of(tmp_path):
    light = np.linspace(40, 220, 60)
    images = np.broadcast_to(light[:, None, None, None], (60, SIDE, SIDE, 3)).astype(np.uint8)
    smiles = (light > 130).astype(np.int8)[:, None]
    faces = LabelledFaces("light", "own", images, tuple(map(str, range(60))), ("smiling",), smiles)

    found = fitted(package(tmp_path / "a", "1.0.0", 1), faces, FitPolicy.read(DEFAULT_POLICY))

    assert found.id == "precision-90-v1"
    assert found.band("smiling").when_present.precision >= 0.9
    assert found.band("smiling").when_present.recall == 1
    assert found.band("sunglasses").present is None
    assert found.policy.count == 60
