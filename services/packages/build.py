"""Builds packages of one's own: an order in, a folder that a service can load out."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from services.manifest import Task
from services.packages import InvalidPackage, Package
from services.packages.golden import complete
from services.packages.order import Order
from services.packages.trial import first_run, load_model


def build(order: Order, folder: Path) -> Package:
    """Builds the package in a new folder, runs it, and opens it; leaves nothing if that fails.

    Raises InvalidPackage, OSError or ValueError with the reason, RuntimeUnavailable if a library is
    missing for it.
    """
    if folder.exists():
        raise InvalidPackage(f"{folder} exists; a version never changes, so take the next one")
    try:
        folder.mkdir(parents=True)
        with first_run():
            fields = _facts(order) | _fields(order, folder) | _meaning(order)
            package = complete(folder, fields, order.photos, load_model)
        (folder / "card.md").write_text(_card(package))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # other versions are in it, or it is not there
            folder.parent.rmdir()
        raise
    return package


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


def _meaning(order: Order) -> dict[str, Any]:
    if order.task is Task.CAPTION and order.fitted:
        raise InvalidPackage("a caption model has no threshold sets")
    fits = {label: fit.model_dump() for label, fit in order.calibration.items()}
    return {"calibration": fits} if fits else {}


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
