"""Tries packages out: loads a model, whatever its task, and runs its self-test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from services.manifest import Task
from services.model import Model
from services.packages import Package, open_package
from services.selftest import check


def verify(folder: Path) -> Package:
    """Opens a package, loads its model and runs its self-test, as a service does at its start.

    Raises InvalidPackage with the reason, RuntimeUnavailable if a library is missing for it.
    """
    package = open_package(folder)
    model = load_model(package)
    try:
        check(model)
    finally:
        model.close()
    return package


def load_model(package: Package) -> Model[Any]:
    """Loads the package's model, whatever its task; raises what the service's `load` raises."""
    # Each task's code is imported only when asked for, as the runtimes are.
    if package.manifest.task is Task.DETECTION:
        from services.detector.model import load as load_detector

        return load_detector(package)
    if package.manifest.task is Task.CLASSIFICATION:
        from services.classifier.model import load as load_classifier

        return load_classifier(package)
    from services.captioner.model import load as load_captioner

    return load_captioner(package)
