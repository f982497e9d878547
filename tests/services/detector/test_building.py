"""Detection networks of one's own: what is found out from the file, and what is refused."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from services.detector.model import load
from services.packages import open_package
from services.packages.command import commands
from services.selftest import check
from services.thresholds import Band

ROOT = Path(__file__).parents[3]

# Two anchors of a network that sees nothing but its own weights: centre, width, height, 2 scores.
SOUND = np.array(
    [[100, 300], [80, 60], [40, 20], [30, 50], [0.9, 0.1], [0.02, 0.7]], dtype=np.float32
)


def write_network(
    path,
    answer=SOUND,
    shape=("batch", 3, 320, 320),
    kind=TensorProto.FLOAT,
    names=("cat", "traffic light"),
    outputs=1,
    stride="",
):
    """An ONNX file that answers every photo with `answer`, whatever is on it."""
    zero = numpy_helper.from_array(np.zeros((), dtype=np.float32), "zero")
    constant = numpy_helper.from_array(answer[None], "answer")
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["mean"], keepdims=0, axes=[1, 2, 3]),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Unsqueeze", ["nothing", "axes"], ["spread"]),
        *(
            helper.make_node("Add", ["spread", "answer"], [f"boxes{number}"])
            for number in range(outputs)
        ),
    ]
    axes = numpy_helper.from_array(np.array([1, 2], dtype=np.int64), "axes")
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("pixels", kind, shape)],
        [
            helper.make_tensor_value_info(f"boxes{number}", TensorProto.FLOAT, None)
            for number in range(outputs)
        ],
        [zero, constant, axes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    said = {"names": repr(dict(enumerate(names))) if names else "", "stride": stride}
    helper.set_model_props(model, {key: value for key, value in said.items() if value})
    onnx.save(model, path)
    return path


def run(tmp_path, weights, *options):
    arguments = ["build", "--task", "detection", "--weights", str(weights), "--name", "mine"]
    arguments += ["--version", "2.0.0", "--license", "MIT: Do as you like.", *options]
    arguments += ["--photo", str(ROOT / "tests/photos/cat.jpg"), "--output", str(tmp_path / "out")]
    return CliRunner().invoke(commands, arguments)


def built(tmp_path, weights, *options):
    result = run(tmp_path, weights, *options)
    assert result.exit_code == 0, result.output
    return open_package(tmp_path / "out" / "mine" / "2.0.0")


def refusal(tmp_path, weights, *options):
    result = run(tmp_path, weights, *options)
    assert result.exit_code == 1
    assert not (tmp_path / "out" / "mine" / "2.0.0").exists()
    return result.output


def test_what_is_not_said_is_as_in_the_package_it_is_based_on_but_for_what_fits_its_weights(
    tmp_path,
):
    first = built(tmp_path, write_network(tmp_path / "first.onnx"), "--threshold", "0.6")
    changed = json.loads((first.path / "manifest.json").read_text())
    changed["labels"][1]["id"] = "lights"
    changed["parameters"] |= {"floor": 0.2, "limit": 7}
    changed["calibration"] = {"*": {"scale": 2.0, "offset": 0.0}}
    base = tmp_path / "base"
    shutil.copytree(first.path, base)
    (base / "manifest.json").write_text(json.dumps(changed))
    shutil.rmtree(tmp_path / "out")
    network = write_network(tmp_path / "second.onnx", shape=("batch", 3, "h", "w"))

    manifest = built(tmp_path, network, "--base", str(base)).manifest

    assert (manifest.preprocessing.width, manifest.max_side) == (320, 320)
    assert [(label.id, label.name) for label in manifest.labels] == [
        ("cat", "cat"),
        ("lights", "traffic light"),
    ]
    assert (manifest.parameters["floor"], manifest.parameters["limit"]) == (0.2, 7)
    assert not manifest.calibration
    bands = manifest.threshold_sets[manifest.default_threshold_set].labels
    assert bands == {"*": Band(present=0.3, absent=0.3)}


def test_a_base_of_another_task_is_refused(tmp_path):
    base = ROOT / "models" / "captions" / "1.1.0"
    said = refusal(tmp_path, write_network(tmp_path / "best.onnx"), "--base", str(base))

    assert "--base must be a detection package, too" in said


def test_an_onnx_file_becomes_a_package_that_passes_its_self_test(tmp_path):
    package = built(tmp_path, write_network(tmp_path / "best.onnx"))

    check(load(package))
    assert package.manifest.feature == "mine"
    assert package.manifest.license.text == "Do as you like."
    assert (package.path / "card.md").is_file()


def test_labels_size_and_names_of_inputs_come_from_the_file(tmp_path):
    weights = write_network(tmp_path / "best.onnx", shape=("batch", 3, 192, 256))

    manifest = built(tmp_path, weights).manifest

    assert [label.id for label in manifest.labels] == ["cat", "traffic_light"]
    assert (manifest.preprocessing.width, manifest.preprocessing.height) == (256, 192)
    assert manifest.max_side == 256
    assert manifest.batch_sizes == (1, 2, 4)


def test_the_recorded_answer_is_the_networks(tmp_path):
    package = built(tmp_path, write_network(tmp_path / "best.onnx"))

    boxes = json.loads((package.path / "golden" / "cat.json").read_text())["boxes"]

    assert [(box["label"], round(box["score"], 3)) for box in boxes] == [
        ("cat", 0.9),
        ("traffic_light", 0.7),
        ("cat", 0.1),
        ("traffic_light", 0.02),
    ]


def test_a_network_for_one_photo_at_once_serves_batches_one_by_one(tmp_path):
    weights = write_network(tmp_path / "best.onnx", shape=(1, 3, 320, 320))

    assert built(tmp_path, weights).manifest.batch_sizes == (1,)


def test_labels_and_threshold_may_be_said(tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("helmet\nsafety vest\n")
    weights = write_network(tmp_path / "best.onnx", names=())

    manifest = built(tmp_path, weights, "--labels", str(names), "--threshold", "0.55").manifest

    assert [label.name for label in manifest.labels] == ["helmet", "safety vest"]
    assert manifest.bands() == dict.fromkeys(
        ("helmet", "safety_vest"), Band(present=0.55, absent=0.55)
    )


ANY_SIZE = ("batch", 3, "height", "width")


def test_a_network_of_any_size_is_built_for_the_size_that_is_said(tmp_path):
    weights = write_network(tmp_path / "best.onnx", shape=ANY_SIZE)

    assert built(tmp_path, weights, "--size", "416").manifest.preprocessing.width == 416


def test_a_network_of_any_size_that_tells_its_stride_gets_photos_without_much_grey(tmp_path):
    weights = write_network(tmp_path / "best.onnx", shape=ANY_SIZE, stride="64")

    manifest = built(tmp_path, weights, "--size", "384").manifest

    assert manifest.preprocessing.resize == "tight_letterbox"
    assert manifest.parameters["stride"] == 64


@pytest.mark.parametrize(("shape", "stride"), [(ANY_SIZE, ""), (("batch", 3, 320, 320), "32")])
def test_other_networks_get_photos_in_a_frame_of_one_shape(tmp_path, shape, stride):
    weights = write_network(tmp_path / "best.onnx", shape=shape, stride=stride)

    assert built(tmp_path, weights).manifest.preprocessing.resize == "letterbox"


CENTRES = np.stack(np.meshgrid(np.arange(40, 320, 40), np.arange(40, 320, 40))).reshape(2, -1)
CORNERS = np.concatenate([CENTRES - 15, CENTRES + 15, CENTRES / 320]).astype(np.float32)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"names": ()}, "does not name its labels: say them with --labels"),
        ({"answer": SOUND.T.repeat(1000, axis=0)}, "boxes first"),
        ({"answer": np.zeros((300, 6), np.float32)}, "it suppresses overlapping boxes itself"),
        ({"answer": np.zeros((7, 99), np.float32)}, "wanted is (1, 6, boxes)"),
        ({"answer": SOUND * np.float32([[1]] * 4 + [[-5]] * 2)}, "wanted are probabilities"),
        ({"answer": SOUND / np.float32([[320]] * 4 + [[1]] * 2)}, "boxes as fractions"),
        ({"answer": CORNERS}, "boxes as two corners"),
        ({"answer": SOUND * np.float32("nan")}, "not finite"),
        ({"shape": ("batch", 320, 320, 3)}, "not (batch, 3, height, width)"),
        ({"shape": (8, 3, 320, 320)}, "takes exactly 8 photos at once"),
        ({"kind": TensorProto.FLOAT16}, "takes tensor(float16)"),
        ({"outputs": 3}, "has 3 outputs, where a detector has one"),
    ],
)
def test_other_conventions_are_refused_with_what_is_wrong(tmp_path, made, words):
    weights = write_network(tmp_path / "best.onnx", **made)

    assert words in refusal(tmp_path, weights)


def test_a_file_that_is_no_network_is_refused(tmp_path):
    (tmp_path / "best.onnx").write_bytes(b"not a network")

    assert "is no ONNX file" in refusal(tmp_path, tmp_path / "best.onnx")


def test_another_kind_of_file_is_refused(tmp_path):
    (tmp_path / "best.tflite").write_bytes(b"")

    assert "packaged from .onnx, .pt, .keras and .h5 files" in refusal(
        tmp_path, tmp_path / "best.tflite"
    )


def test_another_size_than_the_networks_is_refused(tmp_path):
    weights = write_network(tmp_path / "best.onnx")

    assert "takes 320 pixels only" in refusal(tmp_path, weights, "--size", "640")


def test_a_version_is_never_built_twice(tmp_path):
    weights = write_network(tmp_path / "best.onnx")
    package = built(tmp_path, weights)

    again = run(tmp_path, weights)

    assert again.exit_code == 1
    assert "a version never changes" in again.output
    assert open_package(package.path).digest == package.digest


def test_a_file_under_another_key_is_refused_with_the_right_one(tmp_path):
    weights = write_network(tmp_path / "best.onnx")

    assert refusal(tmp_path, f"foo={weights}") == (
        "Error: a detection package is built from detector=FILE alone, not from foo\n"
    )


def test_one_key_names_one_file(tmp_path):
    weights = write_network(tmp_path / "best.onnx")

    result = run(tmp_path, weights, "--weights", str(weights))

    assert result.exit_code == 2
    assert "--weights names detector twice" in result.output


def test_labels_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"\xff\xfe")
    weights = write_network(tmp_path / "best.onnx")

    result = run(tmp_path, weights, "--labels", str(tmp_path / "labels.txt"))

    assert result.exit_code == 2
    assert "labels.txt is not UTF-8 text" in result.output


def test_a_network_that_fails_at_its_first_photo_is_refused_with_the_runtimes_reason(tmp_path):
    weights = write_network(tmp_path / "best.onnx", shape=("batch", 0, 320, 320))

    output = refusal(tmp_path, weights)

    assert "the network does not run: " in output
    assert output.count("\n") == 1


def test_terms_must_be_said(tmp_path):
    arguments = ["build", "--task", "detection", "--name", "mine", "--version", "1.0.0"]
    arguments += ["--weights", str(write_network(tmp_path / "best.onnx"))]

    result = CliRunner().invoke(commands, [*arguments, "--output", str(tmp_path)])

    assert "--license" in result.output


def test_verify_says_of_each_package_whether_it_is_sound(tmp_path):
    package = built(tmp_path, write_network(tmp_path / "best.onnx"))
    broken = tmp_path / "broken"
    shutil.copytree(package.path, broken)
    (broken / "detector.onnx").write_bytes(b"changed")

    result = CliRunner().invoke(commands, ["verify", str(package.path), str(broken)])

    assert result.exit_code == 1
    assert f"{package.path}: sound" in result.output
    assert f"{broken / 'detector.onnx'}: SHA-256 is" in result.output


def test_the_answer_says_what_to_do_next(tmp_path):
    output = run(tmp_path, write_network(tmp_path / "best.onnx")).output

    assert "cat 0.90" in output
    assert f"python -m services.packages verify {tmp_path / 'out' / 'mine' / '2.0.0'}" in output


def test_a_checkpoint_without_the_training_environment_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "training.yolo", None)
    (tmp_path / "best.pt").write_bytes(b"")

    assert "pip install -r requirements/training.txt" in refusal(tmp_path, tmp_path / "best.pt")


@pytest.mark.filterwarnings("ignore")  # torch's own
@pytest.mark.parametrize(
    ("options", "runtime"), [((), "onnxruntime"), (("--as-is",), "ultralytics")]
)
def test_a_checkpoint_is_converted_or_hosted_as_it_is(tmp_path, options, runtime):
    pytest.importorskip("ultralytics", reason="needs the training environment")
    from ultralytics.nn.tasks import DetectionModel

    from training.yolo import to_pt

    network = DetectionModel("yolo11n.yaml", nc=2, verbose=False)
    network.names = {0: "helmet", 1: "safety vest"}
    to_pt(network, tmp_path / "best.pt")

    package = built(tmp_path, tmp_path / "best.pt", "--size", "64", *options)

    check(load(package))
    assert package.manifest.runtime == runtime
    assert [label.id for label in package.manifest.labels] == ["helmet", "safety_vest"]
    assert package.manifest.preprocessing.width == 64
