"""Weights in 16 bits: half the file, the same arithmetic."""

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from training.onnx_weights import store_in_half, weights_of


def network(weights):
    """Multiplies rows of 64 numbers with `weights` (64, n) and adds a small bias."""
    bias = np.arange(weights.shape[1], dtype=np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["rows", "weights"], ["products"]),
            helper.make_node("Add", ["products", "bias"], ["sums"]),
        ],
        "linear",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ("n", 64))],
        [helper.make_tensor_value_info("sums", TensorProto.FLOAT, ("n", weights.shape[1]))],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8)


def run(model, rows):
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"rows": rows})[0]


@pytest.fixture
def weights():
    return np.random.default_rng(1).standard_normal((64, 32)).astype(np.float32)


def test_the_file_is_half_as_large(weights):
    model = network(weights)

    assert store_in_half(model).ByteSize() < 0.6 * model.ByteSize()


def test_it_computes_what_the_rounded_weights_give_in_32_bits(weights):
    rounded = weights.astype(np.float16).astype(np.float32)
    rows = np.random.default_rng(2).standard_normal((5, 64)).astype(np.float32)

    assert np.array_equal(run(store_in_half(network(weights)), rows), run(network(rounded), rows))


def test_weights_come_back_by_their_names_within_the_rounding(weights):
    stored = weights_of(store_in_half(network(weights)))

    assert stored.keys() == {"weights", "bias"}
    assert stored["weights"] == pytest.approx(weights, rel=2**-11)
    assert stored["bias"].tolist() == list(range(32))


@pytest.mark.parametrize("value", [70_000.0, np.inf])
def test_a_weight_beyond_16_bits_keeps_its_32(weights, value):
    weights[3, 4] = value

    stored = weights_of(store_in_half(network(weights)))

    assert np.array_equal(stored["weights"], weights)


def test_the_original_is_left_as_it_was(weights):
    model = network(weights)
    before = model.SerializeToString()

    store_in_half(model)

    assert model.SerializeToString() == before
