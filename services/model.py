"""What a service expects of a model: pixels in, predictions out, always in batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from chassis.images import Pixels
from services.packages import Package

P = TypeVar("P")
P_contra = TypeVar("P_contra", contravariant=True)


class ModelError(Exception):
    """One photo that the model could not predict; the rest of its batch is unaffected."""


@dataclass(frozen=True, slots=True)
class Box:
    """Edges as fractions in [0, 1] of the upright photo's width and height, from the top left."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float


class Method(StrEnum):
    """How a map is made, and so what its values mean; `ExplanationMethod` says it in full."""

    OCCLUSION = "occlusion"  # how far a cover over the place lowers the label's log odds
    ATTENTION = "attention"  # the place's share of what the model looked at


@dataclass(frozen=True, slots=True, eq=False)
class Heatmap:
    """A map of the places that one label of a face, or one word, rests on."""

    box: Box  # what it covers of the photo
    values: NDArray[np.float32]  # (rows, columns), in the method's unit
    label: str = ""
    face: int = 0  # place among the prediction's faces
    word: str = ""


class Explainer(Protocol[P_contra]):
    """Explains a model's predictions; several threads may ask at once."""

    @property
    def method(self) -> Method:
        """How it makes maps."""

    def explain(self, pixels: Pixels, part: P_contra) -> Iterator[tuple[Heatmap, ...]]:
        """Maps for `part`, which is as much of the photo's prediction as is to be explained.

        Works in steps that others can wait for, and yields after each the maps it completed. Raises
        ModelError for a photo that it cannot explain.
        """


class Model(Protocol[P]):
    """A loaded model.

    Several threads may predict at once. A photo's prediction does not depend on the photos it
    shares a batch with: raw outputs differ by at most 1e-4.
    """

    @property
    def package(self) -> Package:
        """The package it was loaded from."""

    @property
    def max_side(self) -> int:
        """Longest side of a photo that it makes use of, in pixels."""

    @property
    def explainer(self) -> Explainer[P] | None:
        """What explains its predictions; None if nothing can."""

    def predict(self, batch: Sequence[Pixels]) -> tuple[P | ModelError, ...]:
        """Predicts each photo: as many results as photos, in their order."""

    def close(self) -> None:
        """Gives its memory back; predicts nothing after."""
