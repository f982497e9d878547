"""Would scores mean more if they were calibrated otherwise, or on other faces?

Ways to calibrate are compared on val alone, by how well they tell what they have not seen. Test is
only looked at to say where an error on it comes from: a fit to test's own other half shows what
another source of faces changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import Floats
from training.calibration import calibrated, calibration_error, error_by_chance, platt, sigmoid
from training.faces_data import LABELS, UNKNOWN, Faces
from training.ranking import Truth

Probable = Callable[[Floats], Floats]  # probabilities of logits
Way = Callable[[Floats, Truth], Probable]  # fits to logits and what is true of each

SERVED: Final = "Platt, as served"
_FOLDS: Final = 5
_REPEATS: Final = 10
_NEAR: Final = 20.0  # precision of the belief that a network's own logits have the right scale
_STEPS: Final = 30
_SMALL: Final = 1e-9
_LEAST: Final = 0.002  # an isotonic fit says 0 and 1, whose log loss is infinite


@dataclass(frozen=True, slots=True)
class Told:
    """How well a way of calibrating tells val's faces that it was not fitted to."""

    way: str
    losses: Mapping[str, float]  # mean log loss by label
    errors: Mapping[str, float]  # expected calibration error by label


@dataclass(frozen=True, slots=True)
class Moved:
    """A label's calibration error on test, by what the calibration was fitted to."""

    label: str
    val: float
    test: float  # its other half
    by_chance: float  # of scores fitted so, were they perfect


def compared(logits: NDArray[np.floating], faces: Faces) -> tuple[Told, ...]:
    """Every way, cross-validated; means over repeats."""
    known = dict(_known(logits, faces))
    return tuple(
        Told(
            way,
            {label: _mean(_loss, fit, *pair) for label, pair in known.items()},
            {label: _mean(calibration_error, fit, *pair) for label, pair in known.items()},
        )
        for way, fit in WAYS.items()
    )


def moved(
    logits: Mapping[str, NDArray[np.floating]], faces: Mapping[str, Faces]
) -> tuple[Moved, ...]:
    """Errors on test with val's fit, and with that of test's other half."""
    val, test = (dict(_known(logits[split], faces[split])) for split in ("val", "test"))
    fit = WAYS[SERVED]
    return tuple(
        Moved(
            label,
            calibration_error(fit(*val[label])(test[label][0]), test[label][1]),
            _mean(calibration_error, fit, *test[label], folds=2),
            _mean(lambda scores, _: error_by_chance(scores), fit, *test[label], folds=2),
        )
        for label in val
        if label in test
    )


def parts(truth: Truth, folds: int = _FOLDS) -> Iterator[NDArray[np.intp]]:
    """Each example's fold, repeat by repeat; all have as many of both kinds."""
    for repeat in range(_REPEATS):
        random = np.random.default_rng(repeat)
        part = np.empty(len(truth), np.intp)
        for kind in (True, False):
            places = random.permutation(np.flatnonzero(truth == kind))
            part[places] = np.arange(len(places)) % folds
        yield part


def logistic(inputs: Floats, truth: Truth, middle: Floats, precision: Floats) -> Floats:
    """Weights of a logistic regression, believed to lie near `middle`; by Newton's method."""

    def loss(tried: Floats) -> float:
        answers = tried @ inputs
        told = (np.logaddexp(0, answers) - truth * answers).sum()
        return float(told + precision @ (tried - middle) ** 2 / 2)

    weights = middle.copy()
    for _ in range(_STEPS):
        given = sigmoid(weights @ inputs)
        slope = inputs @ (given - truth) + precision * (weights - middle)
        curvature = (inputs * (given * (1 - given))) @ inputs.T + np.diag(precision + 1e-9)
        step = np.linalg.solve(curvature, slope)
        while loss(weights - step) > loss(weights) and np.abs(step).max() > _SMALL:
            step = step / 2
        weights = weights - step
    return weights


def _mean(
    figure: Callable[[Floats, Truth], float],
    way: Way,
    logits: Floats,
    truth: Truth,
    folds: int = _FOLDS,
) -> float:
    """A figure of scores that their own fold had no part in; mean over repeats."""
    return float(np.mean([figure(scores, truth) for scores in _unseen(way, logits, truth, folds)]))


def _unseen(way: Way, logits: Floats, truth: Truth, folds: int) -> Iterator[Floats]:
    for part in parts(truth, folds):
        scores = np.empty(len(truth))
        for fold in range(folds):
            here = part == fold
            scores[here] = way(logits[~here], truth[~here])(logits[here])
        yield scores


def _known(
    logits: NDArray[np.floating], faces: Faces
) -> Iterable[tuple[str, tuple[Floats, Truth]]]:
    for column, label in enumerate(LABELS):
        known = faces.labels[:, column] != UNKNOWN
        truth = faces.labels[known, column] == 1
        if min(truth.sum(), (~truth).sum()) >= _FOLDS:
            yield label, (logits[known, column].astype(np.float64), truth)


def _loss(scores: Floats, truth: Truth) -> float:
    right = np.where(truth, scores, 1 - scores)
    return float(-np.log(np.maximum(right, 1e-9)).mean())


def _platt(logits: Floats, truth: Truth) -> Probable:
    fit = platt(logits, truth)
    return lambda others: calibrated(others, fit)


def _as_it_is(logits: Floats, truth: Truth) -> Probable:  # noqa: ARG001 - fits nothing
    return sigmoid


def _near(logits: Floats, truth: Truth) -> Probable:
    """Scale and offset, the scale held near 1; labels as they are, not softened as Platt's."""
    weights = logistic(_line(logits), truth, np.array([1.0, 0.0]), np.array([_NEAR, 0.0]))
    return lambda others: sigmoid(weights @ _line(others))


def _beta(logits: Floats, truth: Truth) -> Probable:
    """M. Kull et al., "Beta calibration", 2017: both ends of the scale bend for themselves."""
    weights = logistic(_ends(logits), truth, np.array([1.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0]))
    return lambda others: sigmoid(weights @ _ends(others))


def _isotonic(logits: Floats, truth: Truth) -> Probable:
    """The rising steps nearest to the labels, by pooling neighbours that fall."""
    order = np.argsort(logits, kind="stable")
    blocks: list[tuple[float, int]] = []  # mean and count
    for value in truth[order].astype(float):
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (one, few), (other, many) = blocks[-2:]
            blocks[-2:] = [((one * few + other * many) / (few + many), few + many)]
    steps = np.repeat([mean for mean, _ in blocks], [count for _, count in blocks])
    inside = np.clip(steps, _LEAST, 1 - _LEAST)
    return lambda others: np.interp(others, logits[order], inside)


def _line(logits: Floats) -> Floats:
    return np.stack([logits, np.ones(len(logits))])


def _ends(logits: Floats) -> Floats:
    return np.stack([-np.logaddexp(0, -logits), np.logaddexp(0, logits), np.ones(len(logits))])


WAYS: Final[Mapping[str, Way]] = {
    SERVED: _platt,
    "the network's own": _as_it_is,
    "logistic, scale held near 1": _near,
    "beta": _beta,
    "isotonic": _isotonic,
}
