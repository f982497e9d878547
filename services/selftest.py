"""The golden self-test: a package's own photos must give the predictions it came with."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from chassis.errors import InvalidImage
from chassis.images import ImageLimits, Pixels, decode
from services.model import Model, ModelError
from services.packages import InvalidPackage


@dataclass(frozen=True, slots=True)
class _Case:
    photo: Path
    pixels: Pixels
    expected: Any


def check(model: Model[Any]) -> None:
    """Warms every batch size and compares every golden case, each in company of the others.

    Raises InvalidPackage with the first differences; a model that passes gives here what it gave
    where it was packaged.
    """
    package = model.package
    golden = package.manifest.golden
    cases = [
        _Case(
            package.path / case.photo,
            photo(package.path / case.photo, model.max_side),
            _expected(package.path / case.expected),
        )
        for case in golden.cases
    ]
    for batch in _batches(cases, package.manifest.batch_sizes):
        predictions = model.predict([case.pixels for case in batch])
        if len(predictions) != len(batch):
            raise InvalidPackage(
                f"{package.path}: {len(predictions)} predictions for {len(batch)} photos"
            )
        for case, prediction in zip(batch, predictions, strict=True):
            found = _differences(case.expected, as_json(prediction), golden.tolerance, "prediction")
            if first := "; ".join(islice(found, 3)):
                raise InvalidPackage(f"{case.photo}: in a batch of {len(batch)}: {first}")


def photo(path: Path, max_side: int) -> Pixels:
    """A golden photo's pixels, as the gateway would send them; InvalidPackage if it is none."""
    try:
        return decode(path.read_bytes(), max_side, ImageLimits()).pixels
    except InvalidImage as error:
        raise InvalidPackage(f"{path}: {error}") from None


def as_json(prediction: Any) -> Any:
    """A prediction as JSON holds it; raises the error that stands in a prediction's place."""
    if isinstance(prediction, ModelError):
        raise InvalidPackage(f"the model cannot predict its own golden photo: {prediction}")
    return json.loads(json.dumps(asdict(prediction)))


def _expected(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise InvalidPackage(f"{path}: {error}") from None


def _batches(cases: Sequence[_Case], sizes: Sequence[int]) -> Iterator[tuple[_Case, ...]]:
    """One batch of each size, and more of the largest as long as a case has not had its turn."""
    turns = cycle(cases)
    seen = 0
    for size in sizes:
        yield tuple(islice(turns, size))
        seen += size
    while seen < len(cases):
        yield tuple(islice(turns, sizes[-1]))
        seen += sizes[-1]


def _differences(expected: Any, actual: Any, tolerance: float, path: str) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted(expected.keys() | actual.keys()):
            yield from _differences(expected.get(key), actual.get(key), tolerance, f"{path}.{key}")
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for place, (one, other) in enumerate(zip(expected, actual, strict=True)):
            yield from _differences(one, other, tolerance, f"{path}[{place}]")
    elif _is_number(expected) and _is_number(actual):
        if not math.isclose(expected, actual, rel_tol=tolerance, abs_tol=tolerance):
            yield f"{path} is {actual}, not {expected}"
    elif expected != actual:
        yield f"{path} is {_short(actual)}, not {_short(expected)}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: Any) -> str:
    return f"a list of {len(value)}" if isinstance(value, list) else repr(value)
