"""Packages hosted by TensorFlow answer as the ONNX files that they were rebuilt from."""

from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is only in the training environment")
if keras.backend.backend() != "tensorflow":
    pytest.skip("hosting needs Keras on TensorFlow", allow_module_level=True)

from services.packages import open_package  # noqa: E402
from services.runtimes import open_network  # noqa: E402
from training.native import hosted  # noqa: E402
from training.native_faces import face_network  # noqa: E402

MODELS = Path(__file__).parents[2] / "models"
ATTRIBUTES = MODELS / "attributes" / "1.1.0"


@pytest.mark.parametrize(
    ("name", "height", "width"),
    [("pnet", 12, 12), ("pnet", 37, 50), ("pnet", 40, 33), ("rnet", 24, 24), ("onet", 48, 48)],
)
def test_the_face_finders_networks_are_the_same_in_keras(name, height, width):
    random = np.random.default_rng(height)
    images = random.uniform(-1, 1, (2, 3, height, width)).astype(np.float32)

    expected = open_network("onnxruntime", ATTRIBUTES / f"{name}.onnx", 1).run({"images": images})
    found = face_network(ATTRIBUTES / f"{name}.onnx")(images)

    assert found.keys() == expected.keys()
    for key, values in expected.items():
        np.testing.assert_allclose(np.asarray(found[key]), values, atol=1e-4)


def test_a_model_that_is_not_keras_s_is_refused(tmp_path):
    with pytest.raises(ValueError, match="only classifiers and captioners"):
        hosted(open_package(MODELS / "objects" / "1.1.0"), tmp_path / "twin")
