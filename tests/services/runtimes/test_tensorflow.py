"""The TensorFlow runtime: Keras files and SavedModels, and the word when it is missing."""

import importlib.util
import shutil

import numpy as np
import pytest

from services.runtimes import RuntimeUnavailable, open_network

INSTALLED = importlib.util.find_spec("tensorflow") is not None
needs_tensorflow = pytest.mark.skipif(
    not INSTALLED, reason="TensorFlow is only in the training environment"
)


@pytest.mark.skipif(INSTALLED, reason="TensorFlow is installed here")
def test_without_tensorflow_it_says_how_to_get_it(tmp_path):
    with pytest.raises(RuntimeUnavailable, match="pip install 'tensorflow-cpu"):
        open_network("tensorflow", tmp_path / "model.keras", 1)


@pytest.fixture
def doubling():
    import keras

    one, other = keras.Input((3,), name="one"), keras.Input((3,), name="other")
    return keras.Model([one, other], {"sum": one + other, "twice": one * 2.0})


INPUTS = {
    "other": np.ones((2, 3), np.float32),
    "one": np.arange(6, dtype=np.float32).reshape(2, 3),
}


def check(network):
    found = network.run(INPUTS)
    np.testing.assert_allclose(found["sum"], INPUTS["one"] + 1)
    np.testing.assert_allclose(found["twice"], INPUTS["one"] * 2)
    network.close()


@needs_tensorflow
def test_a_keras_file_answers_by_the_names_it_gives(doubling, tmp_path):
    doubling.save(tmp_path / "model.keras")

    check(open_network("tensorflow", tmp_path / "model.keras", 1))


@needs_tensorflow
def test_a_packed_saved_model_answers_by_its_signature(doubling, tmp_path):
    doubling.export(tmp_path / "saved", verbose=False)
    packed = shutil.make_archive(str(tmp_path / "model"), "zip", tmp_path / "saved")

    from pathlib import Path

    network = open_network("tensorflow", Path(packed), 1)
    found = network.run(INPUTS)
    np.testing.assert_allclose(found["sum"], INPUTS["one"] + 1)


@needs_tensorflow
def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.keras and \.zip"):
        open_network("tensorflow", tmp_path / "model.onnx", 1)
