"""The golden self-test: a package's own photos must give the predictions it came with."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chassis.images import ImageLimits, Pixels, decode
from services.model import Model, ModelError
from services.packages import InvalidPackage


def check(model: Model[Any]) -> None:
    """Warms every batch size and compares every golden case.

    Raises InvalidPackage with the first differences; a model that passes gives here what it gave
    where it was packaged.
    """
    package = model.package
    golden = package.manifest.golden
    for case in golden.cases:
        pixels = photo(package.path / case.photo, model.max_side)
        expected = json.loads((package.path / case.expected).read_text())
        for size in package.manifest.batch_sizes:
            for prediction in model.predict([pixels] * size):
                differences = list(
                    _differences(expected, as_json(prediction), golden.tolerance, "prediction")
                )
                if differences:
                    raise InvalidPackage(
                        f"{package.path / case.photo}: batch of {size}: "
                        + "; ".join(differences[:3])
                    )


def photo(path: Path, max_side: int) -> Pixels:
    """A golden photo's pixels, as the gateway would send them."""
    return decode(path.read_bytes(), max_side, ImageLimits()).pixels


def as_json(prediction: Any) -> Any:
    """A prediction as JSON holds it; raises the error that stands in a prediction's place."""
    if isinstance(prediction, ModelError):
        raise InvalidPackage(f"the model cannot predict its own golden photo: {prediction}")
    return json.loads(json.dumps(asdict(prediction)))


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
