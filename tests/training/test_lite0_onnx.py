"""The ONNX graph is the Keras network, and gives its weights back."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is installed for training only")
onnx = pytest.importorskip("onnx", reason="onnx is installed for development and training only")

from services.runtimes import open_network  # noqa: E402 (after the skips)
from training.lite0 import lite0, load_weights  # noqa: E402
from training.lite0_onnx import to_onnx, weights_from  # noqa: E402
from training.onnx_weights import store_in_half  # noqa: E402

pytestmark = pytest.mark.filterwarnings(  # Keras's torch backend against NumPy 2
    "ignore:__array__ implementation:DeprecationWarning"
)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(5)
    return lite0((64, 96, 3), classes=3)


def test_the_graph_answers_as_the_keras_network_does(network, tmp_path):
    onnx.save(to_onnx(network, "logits"), tmp_path / "network.onnx")
    images = np.random.default_rng(5).normal(0, 1, (2, 64, 96, 3)).astype(np.float32)

    session = open_network("onnxruntime", tmp_path / "network.onnx", 1)
    answer = session.run({"images": np.ascontiguousarray(images.transpose(0, 3, 1, 2))})

    expected = keras.ops.convert_to_numpy(network(images, training=False))
    np.testing.assert_allclose(answer["logits"], expected, rtol=1e-3, atol=1e-5)


def test_weights_come_back_from_a_graph_stored_in_half(network):
    again = lite0((64, 96, 3), classes=3)

    load_weights(again, weights_from(store_in_half(to_onnx(network, "logits"))))

    for layer in network.layers:
        for before, after in zip(
            layer.get_weights(), again.get_layer(layer.name).get_weights(), strict=True
        ):
            np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-6)
