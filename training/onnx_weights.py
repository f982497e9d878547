"""ONNX files of half the size: weights stored in 16 bits, computed in 32."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def store_in_half(model: onnx.ModelProto, smallest: int = 256) -> onnx.ModelProto:
    """A copy of `model` whose float32 weights of at least `smallest` numbers are float16 on disk.

    A Cast behind each weight makes it float32 again; runtimes fold that once, at load, so that
    speed and arithmetic stay those of float32. Rounding costs up to 2^-11 of a weight's value. A
    weight with a value that float16 cannot hold (above 65504) stays as it is.
    """
    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    casts = []
    for weight in halved.graph.initializer:
        if weight.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(weight)
        if values.size < smallest or not np.all(np.abs(values) <= np.finfo(np.float16).max):
            continue
        stored = f"{weight.name}.half"
        casts.append(helper.make_node("Cast", [stored], [weight.name], to=TensorProto.FLOAT))
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
    for position, cast in enumerate(casts):
        halved.graph.node.insert(position, cast)
    onnx.checker.check_model(halved)
    return halved


def weights_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """The weights of `model` in float32, by the names they had before `store_in_half`."""
    found = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    return {
        name.removesuffix(".half"): values.astype(np.float32)
        for name, values in found.items()
        if values.dtype in (np.float16, np.float32)
    }
