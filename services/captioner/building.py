"""Caption packages of one's own: other networks, or other words, in a package that is there."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from services import onnx_file
from services.captioner.model import ENCODER, VOCABULARY
from services.conversion import to_onnx
from services.packages.order import Order, inherited


def fields(order: Order, folder: Path) -> dict[str, Any]:
    """Puts the networks and words beside what is left of the base's; the manifest for it all.

    A package whose parts do not fit together fails its first photo. Raises InvalidPackage for
    files of other kinds.
    """
    base = inherited(order, folder)
    artifacts = dict(base["artifacts"])
    for key, source in order.weights.items():
        path = folder / (f"{key}.txt" if key == VOCABULARY else f"{key}.onnx")
        if key == VOCABULARY:
            shutil.copyfile(source, path)
        else:
            to_onnx(source, path)
        artifacts[key] = {"path": path.name}
    preprocessing = base["preprocessing"] | {
        key: value for key, value in (("mean", order.mean), ("std", order.std)) if value
    }
    if ENCODER in order.weights:
        _, height, width, _ = onnx_file.read(folder / f"{ENCODER}.onnx").photos().shape
        preprocessing |= {"width": width, "height": height}
    return base | {"artifacts": artifacts, "preprocessing": preprocessing}
