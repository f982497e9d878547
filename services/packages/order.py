"""An order for a package of one's own: networks' files, and the facts that go with them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from services.manifest import Calibration, License, Task
from services.packages import InvalidPackage, Package
from services.schema import REST
from services.thresholds import Band, ThresholdFile, ThresholdSet

BY_HAND: Final = "by-hand-v1"  # a set that was fitted to nothing
_INHERITED: Final = {
    *("runtime", "artifacts", "preprocessing", "max_side", "batch_sizes", "labels"),
    "parameters",
}


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants packaged; what is None or empty is found out, or taken from `base`."""

    task: Task
    weights: Mapping[str, Path]  # by the artefact's key
    name: str
    version: str
    summary: str
    license: License | None
    sources: tuple[str, ...]
    command: str
    photos: tuple[Path, ...]  # for golden cases
    labels: tuple[str, ...] = ()  # names, in the order of the network's outputs
    side: int | None = None  # of the network's square input, in pixels
    mean: tuple[float, float, float] | None = None  # per channel of RGB in 0..255
    std: tuple[float, float, float] | None = None
    threshold: float | None = None
    fitted: ThresholdFile | None = None  # the only set, in place of one threshold for all
    calibration: Mapping[str, Calibration] = field(default_factory=dict)  # by label, or "*"
    as_is: bool = False  # serve the trainer's own file instead of an ONNX file made from it
    base: Package | None = None  # whatever the order does not say is as in this package

    def network(self, key: str) -> Path:
        """The file of the one artefact that may be ordered; InvalidPackage if it is not just it."""
        if self.weights.keys() != {key}:
            raise InvalidPackage(
                f"a {self.task} package is built from {key}=FILE alone, not from "
                f"{', '.join(sorted(self.weights))}"
            )
        return self.weights[key]

    def thresholds(self, usual: float) -> dict[str, Any]:
        """The set that was fitted, or one of one threshold for every label.

        That is the usual one unless the order says it. Raises InvalidPackage for a set that was
        fitted to another model's scores.
        """
        if self.fitted is not None:
            return self._sets(self.fitted.id, _alone(self.fitted, self.name))
        both = usual if self.threshold is None else self.threshold
        only = ThresholdSet(labels={REST: Band(present=both, absent=both)})
        return self._sets(BY_HAND, only)

    def _sets(self, name: str, only: ThresholdSet) -> dict[str, Any]:
        return {
            "threshold_sets": {name: only.model_dump(mode="json")},
            "default_threshold_set": name,
        }


def _alone(fitted: ThresholdFile, name: str) -> ThresholdSet:
    """A file's set as a package holds it; of whichever version it was fitted to."""
    if fitted.model != name:
        raise InvalidPackage(f"thresholds {fitted.id} were fitted to {fitted.model}, not to {name}")
    return ThresholdSet(policy=fitted.policy, labels=fitted.labels)


def inherited(order: Order, folder: Path) -> dict[str, Any]:
    """Copies the artefacts of `base` that the order does not replace; the manifest for all of it.

    Figures and calibration are left behind: they were measured on the other weights. Raises
    InvalidPackage without a base of the same task.
    """
    if order.base is None or order.base.manifest.task is not order.task:
        raise InvalidPackage(f"a {order.task} model is built on another one's package: --base")
    manifest = order.base.manifest
    if unknown := order.weights.keys() - manifest.artifacts.keys():
        raise InvalidPackage(
            f"{order.base.path} has no artefact {', '.join(sorted(unknown))}, but "
            f"{', '.join(manifest.artifacts)}"
        )
    for key, artifact in manifest.artifacts.items():
        if key not in order.weights:
            (folder / artifact.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(order.base.file(key), folder / artifact.path)
    return manifest.model_dump(mode="json", include=_INHERITED)


def label_fields(names: Sequence[str]) -> list[dict[str, str]]:
    """The manifest's labels for these names: "Traffic light" gets the id traffic_light."""
    ids = [re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:63] for name in names]
    return [
        {"id": found or f"label_{place}", "name": name}
        for place, (found, name) in enumerate(zip(ids, names, strict=True))
    ]
