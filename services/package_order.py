"""An order for a package of one's own: networks' files and a few facts in, a folder out."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.manifest import License, Task
from services.package_build import complete, load_model
from services.packages import InvalidPackage, Package

_INHERITED: Final = {
    *("runtime", "artifacts", "preprocessing", "max_side", "batch_sizes", "labels"),
    *("threshold_sets", "default_threshold_set", "parameters"),
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
    as_is: bool = False  # serve the trainer's own file instead of an ONNX file made from it
    base: Package | None = None  # whatever the order does not say is as in this package


def build(order: Order, folder: Path) -> Package:
    """Builds the package in a new folder, runs it, and opens it; leaves nothing if that fails.

    Raises InvalidPackage with the reason, RuntimeUnavailable if a library is missing for it.
    """
    if folder.exists():
        raise InvalidPackage(f"{folder} exists; a version never changes, so take the next one")
    try:
        folder.mkdir(parents=True)
        fields = _facts(order) | _fields(order, folder)
        package = complete(folder, fields, order.photos, load_model)
        (folder / "card.md").write_text(_card(package))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return package


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


def _fields(order: Order, folder: Path) -> dict[str, Any]:
    """What the manifest says of the networks, which are put into `folder`."""
    if order.task is Task.DETECTION:
        from services.detector.building import fields as of_detector

        return of_detector(order, folder)
    if order.task is Task.CLASSIFICATION:
        from services.classifier.building import fields as of_classifier

        return of_classifier(order, folder)
    from services.captioner.building import fields as of_captioner

    return of_captioner(order, folder)


def _facts(order: Order) -> dict[str, Any]:
    terms = order.license or (order.base.manifest.license if order.base else None)
    if terms is None:
        raise InvalidPackage("say under which terms the weights may be used: --license")
    return {
        "schema": 1,
        "name": order.name,
        "version": order.version,
        "task": order.task.value,
        "feature": order.name,
        "summary": order.summary,
        "license": terms.model_dump(),
        "provenance": {"sources": list(order.sources), "command": order.command},
    }


def _card(package: Package) -> str:
    manifest = package.manifest
    labels = ", ".join(label.name for label in manifest.labels)
    return (
        f"# {manifest.name} {manifest.version}\n\n{manifest.summary}\n\n"
        f"**Terms** ({manifest.license.id}). {manifest.license.text}\n\n"
        f"**Labels.** {labels or 'none'}\n\n"
        f"**Made from** {', '.join(manifest.provenance.sources)}, "
        f"by `{manifest.provenance.command}`.\n\n"
        "**Quality.** Not measured when the package was built: write here what it reaches on which "
        "photos, and where it is weak.\n"
    )
