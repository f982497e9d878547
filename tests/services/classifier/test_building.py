"""Attribute networks of one's own, on top of the default package's face finder."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from services.classifier.model import load
from services.manifest import Calibration
from services.packages import open_package
from services.packages.command import commands
from services.selftest import check
from services.thresholds import Band

ROOT = Path(__file__).parents[3]
BASE = ROOT / "models" / "attributes" / "1.1.0"


def write_network(path, shape=("faces", 64, 64, 3), labels=2, sigmoid=False):
    """An ONNX file that answers each face with a logit per label, from its mean colour."""
    pixels, channels = ([1, 2], shape[3]) if shape[3] <= 4 else ([2, 3], shape[1])
    weights = np.random.default_rng(1).standard_normal((channels, labels)).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["faces"], ["colour"], keepdims=0, axes=pixels),
        helper.make_node("MatMul", ["colour", "weights"], ["logits"]),
        helper.make_node("Sigmoid" if sigmoid else "Identity", ["logits"], ["answer"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("faces", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ("faces", labels))],
        [numpy_helper.from_array(weights, "weights")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def run(tmp_path, weights, *options):
    arguments = ["build", "--task", "classification", "--weights", str(weights), "--name", "mine"]
    arguments += ["--version", "1.0.0", "--license", "MIT", "--output", str(tmp_path / "out")]
    arguments += ["--photo", str(ROOT / "tests/photos/astronaut.jpg"), *options]
    return CliRunner().invoke(commands, arguments)


def built(tmp_path, weights, *options):
    result = run(tmp_path, weights, "--base", str(BASE), *options)
    assert result.exit_code == 0, result.output
    return open_package(tmp_path / "out" / "mine" / "1.0.0")


@pytest.mark.parametrize("shape", [("faces", 64, 64, 3), ("faces", 3, 64, 64)])
def test_a_network_with_labels_of_its_own_scores_the_faces_that_the_base_finds(tmp_path, shape):
    weights = write_network(tmp_path / "best.onnx", shape)

    package = built(tmp_path, weights, "--labels", "Beard,Straw hat", "--threshold", "0.7")

    check(load(package))
    assert [label.id for label in package.manifest.labels] == ["beard", "straw_hat"]
    assert package.manifest.bands() == dict.fromkeys(
        ("beard", "straw_hat"), Band(present=0.7, absent=0.7)
    )
    assert package.manifest.preprocessing.width == 64
    assert package.manifest.max_side == open_package(BASE).manifest.max_side


def test_calibration_and_figures_of_the_base_are_left_behind(tmp_path):
    manifest = built(tmp_path, write_network(tmp_path / "best.onnx", labels=3)).manifest

    assert manifest.labels == open_package(BASE).manifest.labels
    assert manifest.calibration == {}
    assert manifest.metrics == ()


def test_a_fitted_set_and_a_calibration_become_the_packages_own(tmp_path):
    weights = write_network(tmp_path / "best.onnx")
    fitted, fits = tmp_path / "set.json", tmp_path / "fits.json"
    band = {"present": 0.8, "absent": 0.3}
    fitted.write_text(json.dumps({"id": "sure-v2", "model": "mine", "labels": {"*": band}}))
    fits.write_text('{"beard": {"scale": 2.0, "offset": -1.0}}')

    options = ("--labels", "Beard,Hat", "--thresholds", str(fitted), "--calibration", str(fits))
    package = built(tmp_path, weights, *options)

    check(load(package))
    assert package.manifest.default_threshold_set == "sure-v2"
    assert package.manifest.bands()["hat"] == Band(present=0.8, absent=0.3)
    assert package.manifest.calibration_of("beard") == Calibration(scale=2, offset=-1)
    assert package.manifest.calibration_of("hat") == Calibration()


@pytest.mark.parametrize(
    ("option", "content", "words"),
    [
        ("--thresholds", '{"id": "a-v1", "model": "other", "labels": {"*": BAND}}', "other"),
        ("--thresholds", '{"id": "a-v1", "model": "mine", "labels": {"cat": BAND}}', "cat"),
        ("--thresholds", "{}", "file.json: "),
        ("--calibration", '{"beard": {"scale": -1}}', "file.json: "),
        ("--calibration", '{"cat": {"scale": 2}}', "cat"),
    ],
)
def test_sets_and_fits_that_do_not_fit_are_refused(tmp_path, option, content, words):
    weights, file = write_network(tmp_path / "best.onnx"), tmp_path / "file.json"
    file.write_text(content.replace("BAND", '{"present": 0.8, "absent": 0.3}'))

    result = run(tmp_path, weights, "--base", str(BASE), "--labels", "Beard,Hat", option, str(file))

    assert result.exit_code == 1
    assert words in result.output
    assert list(tmp_path.glob("out/*")) == []


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"labels": 5}, "answers 16 faces with shape (16, 5); wanted is (16, 3)"),
        ({"labels": 3, "sigmoid": True}, "leave its last sigmoid out"),
        ({"labels": 3, "shape": (1, 64, 64, 3)}, "takes 1 faces at once"),
        ({"labels": 3, "shape": ("faces", "side", "side", 3)}, "say which with --size"),
        ({"labels": 3, "shape": ("faces", 64, 48, 3)}, "takes faces of 48 x 64 pixels; wanted are"),
        ({"labels": 3, "shape": ("faces", 3, 64, 48)}, "takes faces of 48 x 64 pixels; wanted are"),
        ({"labels": 3, "shape": ("faces", 64, 64, 4)}, "takes shape (0, 64, 64, 4), not"),
    ],
)
def test_other_networks_are_refused_with_what_is_wrong(tmp_path, made, words):
    weights = write_network(tmp_path / "best.onnx", **made)

    result = run(tmp_path, weights, "--base", str(BASE))

    assert result.exit_code == 1
    assert words in result.output


@pytest.mark.parametrize("key", ["pnet", "foo"])
def test_only_the_attributes_network_is_replaced(tmp_path, key):
    weights = write_network(tmp_path / "best.onnx", labels=3)

    result = run(tmp_path, f"{key}={weights}", "--base", str(BASE))

    assert result.exit_code == 1
    assert result.output == (
        f"Error: a classification package is built from attributes=FILE alone, not from {key}\n"
    )


def test_a_base_that_does_not_open_is_refused_by_name(tmp_path):
    result = run(tmp_path, write_network(tmp_path / "best.onnx"), "--base", str(tmp_path / "none"))

    assert result.exit_code == 1
    reason = f"{tmp_path / 'none' / 'manifest.json'}: No such file or directory"
    assert result.output == f"Error: {reason}\n"


def test_without_a_base_there_is_no_face_finder(tmp_path):
    result = run(tmp_path, write_network(tmp_path / "best.onnx"))

    assert "is built on another one's package: --base" in result.output


@pytest.mark.filterwarnings("ignore")  # TensorFlow's own
def test_a_keras_file_is_converted_and_its_sigmoid_left_out(tmp_path):
    keras = pytest.importorskip("keras", reason="needs the training environment")
    from services.runtimes import open_network
    from training.keras_export import export

    faces = keras.Input((32, 32, 3), name="faces")
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 3)(faces))
    network = keras.Model(faces, keras.layers.Dense(2, activation="sigmoid")(features))
    network.save(tmp_path / "best.keras")
    photos = np.random.default_rng(1).random((3, 32, 32, 3), dtype=np.float32)

    export(tmp_path / "best.keras", tmp_path / "best.onnx")

    converted = open_network("onnxruntime", tmp_path / "best.onnx", threads=1)
    (logits,) = converted.run({"faces": photos}).values()
    assert 1 / (1 + np.exp(-logits)) == pytest.approx(network.predict(photos), abs=1e-3)
