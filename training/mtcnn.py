"""Converts MTCNN's three networks to ONNX: `python -m training.mtcnn WHEEL`.

MTCNN: K. Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded
Convolutional Networks", 2016. The weights are those in the wheel of facenet-pytorch 2.6.0 (MIT),
which pins an old torch, so fetch it alone: `pip download --no-deps facenet-pytorch==2.6.0`.

Every network takes `images` (n, 3, height, width), RGB as `(x - 127.5) / 128`, and gives `score`,
the probability of a face, and `offsets`, the box's edges against the window in its sides (left,
top, right, bottom). ONet gives `landmarks` too: five x, then five y, in sides from the window's
top left: left eye, right eye, nose, left and right corner of the mouth, as seen in the photo.
"""

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.onnx_weights import store_in_half

NETWORKS: Final = ("pnet", "rnet", "onet")

Weights = dict[str, NDArray[np.float32]]


@click.command()
@click.argument("wheel", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/mtcnn"),
    show_default=True,
    help="Folder for pnet.onnx, rnet.onnx and onet.onnx.",
)
def main(wheel: Path, output: Path) -> None:
    """Writes the three networks of facenet-pytorch's WHEEL as ONNX files."""
    output.mkdir(parents=True, exist_ok=True)
    for name in NETWORKS:
        onnx.save(store_in_half(network(name, weights_in(wheel, name))), output / f"{name}.onnx")
        click.echo(f"wrote {output / name}.onnx")


def weights_in(wheel: Path, name: str) -> Weights:
    """A network's weights, by torch's names, from facenet-pytorch's wheel."""
    import torch

    with zipfile.ZipFile(wheel) as archive:
        content = io.BytesIO(archive.read(f"facenet_pytorch/data/{name}.pt"))
    state = torch.load(content, map_location="cpu", weights_only=True)
    return {key: value.numpy() for key, value in state.items()}


def network(name: str, weights: Weights) -> onnx.ModelProto:
    """One of the NETWORKS as an ONNX graph in float32."""
    return {"pnet": _pnet, "rnet": _rnet, "onet": _onet}[name](weights)


def _pnet(weights: Weights) -> onnx.ModelProto:
    """Slides over photos of any size: a window of 12 pixels every 2."""
    graph = _Graph(weights)
    graph.convolve("1")
    graph.pool(2)
    graph.convolve("2")
    graph.convolve("3")
    graph.head("Conv", "score", *graph.face_against_rest("conv4_1"), activation="Sigmoid")
    graph.head("Conv", "offsets", weights["conv4_2.weight"], weights["conv4_2.bias"])
    return graph.model(
        "pnet",
        ["n", 3, "height", "width"],
        {"score": [1, "rows", "columns"], "offsets": [4, "rows", "columns"]},
    )


def _rnet(weights: Weights) -> onnx.ModelProto:
    """Looks again at windows scaled to 24 pixels."""
    graph = _Graph(weights)
    graph.convolve("1")
    graph.pool(3)
    graph.convolve("2")
    graph.pool(3)
    graph.convolve("3")
    graph.dense("4")
    graph.head("Gemm", "score", *graph.face_against_rest("dense5_1"), activation="Sigmoid")
    graph.head("Gemm", "offsets", weights["dense5_2.weight"], weights["dense5_2.bias"])
    return graph.model("rnet", ["n", 3, 24, 24], {"score": [1], "offsets": [4]})


def _onet(weights: Weights) -> onnx.ModelProto:
    """Looks last at windows scaled to 48 pixels, and finds the landmarks."""
    graph = _Graph(weights)
    graph.convolve("1")
    graph.pool(3)
    graph.convolve("2")
    graph.pool(3)
    graph.convolve("3")
    graph.pool(2)
    graph.convolve("4")
    graph.dense("5")
    graph.head("Gemm", "score", *graph.face_against_rest("dense6_1"), activation="Sigmoid")
    graph.head("Gemm", "offsets", weights["dense6_2.weight"], weights["dense6_2.bias"])
    graph.head("Gemm", "landmarks", weights["dense6_3.weight"], weights["dense6_3.bias"])
    shapes: dict[str, list[Any]] = {"score": [1], "offsets": [4], "landmarks": [10]}
    return graph.model("onet", ["n", 3, 48, 48], shapes)


@dataclass
class _Graph:
    """A chain of layers from `images`; heads branch off its end."""

    weights: Weights
    end: str = "images"
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def convolve(self, number: str) -> None:
        """A convolution without padding and its PReLU."""
        layer = f"conv{number}"
        kernel, bias = self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"]
        self._then("Conv", layer, kernel, bias)
        self._then("PRelu", f"prelu{number}", self.weights[f"prelu{number}.weight"][:, None, None])

    def pool(self, size: int) -> None:
        """The largest of each window; the last window of a side may stick out."""
        self._then(
            "MaxPool", f"{self.end}_pool", kernel_shape=[size] * 2, strides=[2, 2], ceil_mode=1
        )

    def dense(self, number: str) -> None:
        """A dense layer over the whole map, column by column, and its PReLU."""
        layer = f"dense{number}"
        self._then("Transpose", f"{layer}_columns", perm=[0, 3, 2, 1])
        self._then("Flatten", f"{layer}_flat")
        kernel, bias = self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"]
        self._then("Gemm", layer, kernel, bias, transB=1)
        self._then("PRelu", f"prelu{number}", self.weights[f"prelu{number}.weight"])

    def face_against_rest(self, layer: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Softmax over two classes is the sigmoid of their difference: half the work."""
        kernel, bias = self.weights[f"{layer}.weight"], self.weights[f"{layer}.bias"]
        return kernel[1:] - kernel[:1], bias[1:] - bias[:1]

    def head(
        self,
        kind: str,
        name: str,
        kernel: NDArray[np.float32],
        bias: NDArray[np.float32],
        activation: str = "Identity",
    ) -> None:
        """An output computed from the chain's end, which stays where it is."""
        end = self.end
        attributes = {"transB": 1} if kind == "Gemm" else {}
        self._then(kind, f"{name}_raw", kernel, bias, **attributes)
        self._then(activation, name)
        self.end = end

    def model(self, name: str, shape: list[Any], outputs: dict[str, list[Any]]) -> onnx.ModelProto:
        """The finished graph, checked; shapes of outputs go without the batch."""
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
            [
                helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", *rest])
                for output, rest in outputs.items()
            ],
            self.constants,
        )
        model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 17)])
        onnx.checker.check_model(model, full_check=True)
        return model

    def _then(
        self, kind: str, name: str, *constants: NDArray[np.float32], **attributes: Any
    ) -> None:
        inputs = [self.end]
        for place, values in enumerate(constants):
            inputs.append(f"{name}.{place}")
            self.constants.append(numpy_helper.from_array(values, inputs[-1]))
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        self.end = name


if __name__ == "__main__":
    main()
