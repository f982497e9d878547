"""The converted face finder's networks answer as facenet-pytorch's own do.

`mtcnn_reference.json` holds what facenet-pytorch 2.6.0 with torch answers to these windows.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from services.runtimes import open_network

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "models" / "attributes" / "1.1.0"
REFERENCE = json.loads(Path(__file__).with_name("mtcnn_reference.json").read_text())


def window(name):
    """A face for the later networks, and it with its surroundings for the first."""
    with Image.open(ROOT / "tests" / "photos" / "astronaut_small.png") as photo:
        pixels = np.asarray(photo.convert("RGB"))
    face = pixels[27:75, 74:122]
    return {"pnet": pixels[20:82:2, 60:120:2], "rnet": face[::2, ::2], "onet": face}[name]


@pytest.mark.parametrize("name", ["pnet", "rnet", "onet"])
def test_a_converted_network_answers_as_the_original(name):
    network = open_network("onnxruntime", PACKAGE / f"{name}.onnx", 1)
    planes = window(name).astype(np.float32).transpose(2, 0, 1)[None]

    answer = network.run({"images": (planes - 127.5) / 128})

    assert answer.keys() == REFERENCE[name].keys()
    for output, expected in REFERENCE[name].items():
        # the package stores weights in 16 bits
        np.testing.assert_allclose(answer[output], expected, atol=5e-3)
    assert np.max(REFERENCE[name]["score"]) > 0.99  # a face, or agreement would say little
