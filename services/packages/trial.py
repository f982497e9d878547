"""Tries packages out: loads a model, whatever its task, and runs its self-test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from services.manifest import FILE, Task
from services.model import Model
from services.packages import InvalidPackage, Package, open_package
from services.runtimes import RuntimeUnavailable
from services.selftest import check


def verify(folder: Path) -> Package:
    """Opens a package, loads its model and runs its self-test, as a service does at its start.

    Raises InvalidPackage or ValueError with the reason, RuntimeUnavailable if a library is missing
    for it.
    """
    package = open_package(folder)
    with first_run():
        model = load_model(package)
        try:
            check(model)
        finally:
            model.close()
    return package


@contextmanager
def first_run() -> Iterator[None]:
    """Around networks that may not fit: whatever their runtime raises becomes InvalidPackage.

    What says by itself what is wrong passes: RuntimeUnavailable, OSError and ValueError.
    """
    try:
        yield
    except (InvalidPackage, RuntimeUnavailable, OSError, ValueError):
        raise
    except KeyError as name:
        raise InvalidPackage(f"{FILE} and the network's file differ in a name: {name}") from name
    except Exception as error:
        # Each runtime has errors of its own, and only it knows what they derive from.
        raise InvalidPackage(f"the network does not run: {error}") from error


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
