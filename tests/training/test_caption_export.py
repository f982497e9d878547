"""The captioner's ONNX files say what Keras says, and give Keras its weights back."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is only in the training environment")
pytest.importorskip("tf2onnx", reason="tf2onnx is only in the training environment")
if keras.backend.backend() != "tensorflow":
    pytest.skip("the export needs Keras on TensorFlow", allow_module_level=True)

from services.runtimes import open_network  # noqa: E402
from training import lite0  # noqa: E402
from training.caption_export import export, restore  # noqa: E402
from training.caption_network import Decoder, Size  # noqa: E402
from training.caption_speaker import Look, Step  # noqa: E402

SIDE, PLACES, VOCABULARY = 64, 4, 30


def parts(seed):
    keras.utils.set_random_seed(seed)
    eye = lite0.lite0((SIDE, SIDE, 3), include_top=False)
    decoder = Decoder(VOCABULARY, Size(units=16, width=24, attention=20), name="decoder")
    decoder.build((None, PLACES, lite0.FEATURES))
    random = np.random.default_rng(seed)
    for weight in decoder.weights:
        if weight.trainable:  # zeros would be alike
            weight.assign(random.normal(0, 0.3, weight.shape).astype(np.float16))
    return eye, decoder


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package")
    eye, decoder = parts(seed=1)
    export(eye, decoder, folder)
    return folder, eye, decoder


@pytest.fixture
def images():
    return np.random.default_rng(3).normal(size=(3, SIDE, SIDE, 3)).astype(np.float32)


def looked(eye, decoder, images):
    maps = np.asarray(eye(images, training=False))
    found = Look(decoder)(maps.reshape(len(images), PLACES, -1))
    return dict(zip(("values", "keys", "hidden", "cell"), map(np.asarray, found), strict=True))


def test_the_encoder_sees_what_keras_sees(exported, images):
    folder, eye, decoder = exported
    network = open_network("onnxruntime", folder / "encoder.onnx", 1)

    found = network.run({"images": images.transpose(0, 3, 1, 2)})

    for name, expected in looked(eye, decoder, images).items():
        np.testing.assert_allclose(found[name], expected, atol=5e-3)


def test_the_decoder_says_what_keras_says(exported, images):
    folder, eye, decoder = exported
    network = open_network("onnxruntime", folder / "decoder.onnx", 1)
    inputs = looked(eye, decoder, images)
    words = np.random.default_rng(4).integers(0, VOCABULARY, (3, 1))

    found = network.run({"words": words, **inputs})
    best, candidates, hidden, cell, attention = map(
        np.asarray, Step(decoder)(words, *inputs.values())
    )

    np.testing.assert_allclose(found["log_probabilities"], best, atol=5e-3)
    np.testing.assert_array_equal(found["candidates"][..., 0], candidates[..., 0])
    np.testing.assert_allclose(found["next_hidden"], hidden, atol=5e-3)
    np.testing.assert_allclose(found["next_cell"], cell, atol=5e-3)
    np.testing.assert_allclose(found["attention"], attention, atol=5e-3)


def test_a_package_gives_its_weights_back(exported, images):
    folder, eye, decoder = exported
    other_eye, other_decoder = parts(seed=2)

    restore(folder, other_eye, other_decoder)

    expected = looked(eye, decoder, images)
    for name, found in looked(other_eye, other_decoder, images).items():
        np.testing.assert_allclose(found, expected[name], atol=5e-3)
