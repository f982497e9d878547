"""Scores that mean what they say: a manifest's calibration, applied to many scores at once."""

import numpy as np
from numpy.typing import NDArray

from services.manifest import Calibration, Manifest

Floats = NDArray[np.float64]


class Calibrator:
    """Platt scaling with each label's own fit."""

    def __init__(self, manifest: Manifest) -> None:
        fits = [manifest.calibration_of(label.id) for label in manifest.labels]
        self._scale = np.array([fit.scale for fit in fits])
        self._offset = np.array([fit.offset for fit in fits])
        self._changes = any(fit != Calibration() for fit in fits)

    def of_logits(self, logits: NDArray[np.float32]) -> Floats:
        """Probabilities (n, labels) for a network's logits (n, labels)."""
        probabilities: Floats = 1 / (1 + np.exp(-logits * self._scale - self._offset))
        return probabilities

    def of_scores(self, scores: NDArray[np.float32], labels: NDArray[np.intp]) -> Floats:
        """Probabilities (n,) for scores in [0, 1] of these labels, by their places."""
        exact = scores.astype(np.float64)
        if not self._changes:
            return exact
        # What a network gives in 32 bits may be 0 or 1, whose logits are not finite.
        bounded = np.clip(exact, 1e-7, 1 - 1e-7)
        logits = np.log(bounded) - np.log1p(-bounded)
        calibrated: Floats = 1 / (1 + np.exp(-logits * self._scale[labels] - self._offset[labels]))
        return calibrated
