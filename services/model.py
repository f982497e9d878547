"""What a service expects of a model: pixels in, predictions out, always in batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from chassis.images import Pixels
from services.packages import Package

P_co = TypeVar("P_co", covariant=True)


class ModelError(Exception):
    """One photo that the model could not predict; the rest of its batch is unaffected."""


@dataclass(frozen=True, slots=True)
class Box:
    """Edges as fractions in [0, 1] of the upright photo's width and height, from the top left."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float


class Model(Protocol[P_co]):
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

    def predict(self, batch: Sequence[Pixels]) -> tuple[P_co | ModelError, ...]:
        """Predicts each photo: as many results as photos, in their order."""

    def close(self) -> None:
        """Gives its memory back; predicts nothing after."""
