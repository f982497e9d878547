"""The ultralytics runtime: hosts checkpoints, and runs nothing that a file brings along."""

import os
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from services.runtimes import RuntimeUnavailable, open_network


def test_without_the_library_the_answer_is_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ultralytics.nn.tasks", None)

    with pytest.raises(RuntimeUnavailable, match=r"pip install 'ultralytics.*AGPL-3\.0"):
        open_network("ultralytics", tmp_path / "best.pt", threads=1)


def test_an_onnx_file_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"best\.onnx: the ultralytics runtime reads \.pt files"):
        open_network("ultralytics", tmp_path / "best.onnx", threads=1)


@pytest.fixture
def tiny(tmp_path):
    """A checkpoint of an untrained network with two labels."""
    pytest.importorskip("ultralytics", reason="needs the training environment")
    from ultralytics.nn.tasks import DetectionModel

    from training.yolo import to_pt

    network = DetectionModel("yolov8n.yaml", nc=2, verbose=False)
    network.names = {0: "cat", 1: "dog"}
    to_pt(network, tmp_path / "best.pt")
    return tmp_path / "best.pt"


@pytest.mark.filterwarnings("ignore")  # torch's own
def test_a_checkpoint_answers_as_its_onnx_file_does(tiny, tmp_path):
    from training.yolo import export

    export(tiny, tmp_path / "best.onnx")
    photos = np.random.default_rng(1).random((3, 3, 64, 64), dtype=np.float32)

    hosted = open_network("ultralytics", tiny, threads=1).run({"images": photos})["output0"]
    exported = open_network("onnxruntime", tmp_path / "best.onnx", threads=1)

    answer = exported.run({"images": photos})["output0"]
    assert hosted.shape == answer.shape == (3, 6, 84)
    # The ONNX file's weights and the checkpoint's have 16 bits each, rounded at different places.
    assert np.abs(hosted[:, 4:] - answer[:, 4:]).max() < 1e-3
    assert np.abs(hosted[:, :4] - answer[:, :4]).max() < 0.1


@pytest.mark.filterwarnings("ignore")
def test_photos_of_two_shapes_at_once_are_not_mixed_up(tiny):
    network = open_network("ultralytics", tiny, threads=1)
    random = np.random.default_rng(1)
    # As many boxes in both: a grid of the wrong shape would go unnoticed.
    photos = [random.random((1, 3, *shape), dtype=np.float32) for shape in ((64, 96), (96, 64))]
    alone = [network.run({"images": one})["output0"] for one in photos]

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda one: network.run({"images": one})["output0"], photos * 20))

    for number, answer in enumerate(found):
        np.testing.assert_allclose(answer, alone[number % 2], atol=1e-3)


class Payload:
    """Pickles as a call of os.mkdir."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.filterwarnings("ignore")
def test_code_in_a_checkpoint_is_refused_and_does_not_run(tmp_path):
    torch = pytest.importorskip("torch", reason="needs the training environment")
    torch.save({"model": Payload(tmp_path / "was run")}, tmp_path / "best.pt")

    with pytest.raises(ValueError, match="outside the supported Ultralytics checkpoint format"):
        open_network("ultralytics", tmp_path / "best.pt", threads=1)

    assert not (tmp_path / "was run").exists()


@pytest.mark.filterwarnings("ignore")
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    pytest.importorskip("ultralytics", reason="needs the training environment")
    (tmp_path / "best.pt").write_bytes(pickle.dumps([1, 2, 3]))

    with pytest.raises(ValueError, match=r"best\.pt"):
        open_network("ultralytics", tmp_path / "best.pt", threads=1)


@pytest.mark.filterwarnings("ignore")
def test_a_network_for_another_task_is_refused_by_its_kind(tmp_path):
    torch = pytest.importorskip("torch", reason="needs the training environment")
    from ultralytics.nn.tasks import ClassificationModel

    network = ClassificationModel("yolov8n-cls.yaml", nc=2, verbose=False)
    torch.save({"model": network, "ema": None, "train_args": {}}, tmp_path / "best.pt")

    with pytest.raises(ValueError, match="holds a ClassificationModel, not a DetectionModel"):
        open_network("ultralytics", tmp_path / "best.pt", threads=1)
