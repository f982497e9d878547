"""How an attributes network is trained."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a seed and the faces do not say."""

    epochs: int = 8  # of the rate's first cycle
    again: int = 0  # epochs of a second one, of half the rate (Loshchilov and Hutter, 2017)
    batch: int = 64
    peak_rate: float = 5e-4
    decays: bool = True  # the rate: up over half an epoch, down to nothing by a cosine
    seed: int = 1
    side: int = 112  # pixels, of the network's input
    kept_every: int = 50  # steps
    rare: tuple[float, ...] = (1.0, 4.0, 2.0)  # weight of a positive, by label
    focus: float = 0.0  # exponent of focal loss
    smoothing: float = 0.0  # how far targets move towards 1/2
    drawn: float = 0.04  # share of faces that are given sunglasses, of those that can wear them
    varied: bool = True  # whether faces are augmented
    first_trained: str | None = None  # layer from which on filters are trained; None: all

    @property
    def all_epochs(self) -> int:
        """Epochs of both cycles."""
        return self.epochs + self.again


DEFAULT: Final = Recipe(epochs=12)
# Of the two networks of half the faces: halves, seeds and recipes differ.
FOLDS: Final = (
    Recipe(epochs=6, peak_rate=8e-4, seed=11, side=96, drawn=0.0),
    Recipe(epochs=6, peak_rate=5e-4, seed=12, side=96, drawn=0.0, smoothing=0.1),
)
