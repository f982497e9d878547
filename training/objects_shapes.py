"""What each shape of a detector's input gives and costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from services.detector.model import load
from services.packages import Package
from training.bootstrap import Difference, differences
from training.detection import Found, figures
from training.objects_measure import BOTH, by_split

TIGHT: Final = (320, 448, 480, 512, 544, 576, 640)
SQUARE: Final = (480, 512, 640)
# The pretrained weights as they come: squares of the size that the library takes by itself.
AS_THEY_COME: Final = (640, True)
SERVED: Final = (512, False)
# What the card compares the served shape with, by the name of its place there.
COMPARED: Final = {"change": AS_THEY_COME, "fitted": (512, True), "grown": (480, True)}


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """A shape of the input, and what was found with it on val and test together."""

    side: int
    square: bool
    found: Found

    @property
    def name(self) -> str:
        """Like `512` or `640 x 640`."""
        return f"{self.side} x {self.side}" if self.square else str(self.side)

    @property
    def figures(self) -> tuple[float, ...]:
        """AP50, AP and the AP50 of people."""
        return tuple(figures(self.found)(np.ones(len(self.found))))


def tried(package: Package, data: Path) -> Iterator[Tried]:
    """Measures a package's network with each shape."""
    for side, square in [(side, False) for side in TIGHT] + [(side, True) for side in SQUARE]:
        yield Tried(side, square, found(_reshaped(package, side, square=square), data))


def found(package: Package, data: Path) -> Found:
    """What a package finds on val and test together."""
    detector = load(package)
    try:
        return by_split(detector, data / "detection")[BOTH]
    finally:
        detector.close()


def against(old: Found, new: Found) -> tuple[Difference, ...]:
    """How much higher each figure of the new one is, on the same photos."""
    return differences(figures(old), figures(new), len(old))


def _reshaped(package: Package, side: int, *, square: bool) -> Package:
    resize = "letterbox" if square else "tight_letterbox"
    changed = {"width": side, "height": side, "resize": resize}
    shape = package.manifest.preprocessing.model_copy(update=changed)
    manifest = package.manifest.model_copy(update={"preprocessing": shape, "max_side": side})
    return replace(package, manifest=manifest)
