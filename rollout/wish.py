"""What is asked of a rollout, read from the command line and from files."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any, Final

import yaml

from rollout.jury import comparisons
from rollout.state import STEPS, Judging

_ALL: Final = 100


class NotPossible(Exception):
    """What was asked for cannot be done; the text says why, and nothing was changed."""


@dataclass(frozen=True)
class Wish:
    """What an operator asks for."""

    canaries: Mapping[str, str]  # version by model
    values: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[int, ...] = STEPS
    shadow: float = 10.0
    automatic: bool = True
    judging: Judging = field(default_factory=Judging)
    chart: str = ""


def canaries(versions: Iterable[str], values: Mapping[str, Any]) -> dict[str, str]:
    """Versions by model, from MODEL=VERSION and from a values file; raises NotPossible."""
    found = {}
    for name, model in (values.get("models") or {}).items():
        if version := ((model or {}).get("canary") or {}).get("version"):
            found[name] = str(version)
    for one in versions:
        model, _, version = one.partition("=")
        if not model or not version:
            raise NotPossible(f"{one}: MODEL=VERSION is wanted, such as detector=1.1.0")
        found[model] = version
    if not found:
        raise NotPossible("which canary? MODEL=VERSION, or a values file that names one")
    return found


def steps(text: str) -> tuple[int, ...]:
    """Percents that rise; raises NotPossible."""
    try:
        found = tuple(int(one) for one in text.split(","))
    except ValueError:
        found = ()
    if not found or sorted({*found}) != list(found) or not 0 < found[0] <= found[-1] <= _ALL:
        raise NotPossible(f"{text}: steps are percents that rise, such as 5,25,50,100")
    return found


def going_on(steps: tuple[int, ...], weight: float) -> tuple[int, ...]:
    """The steps from a weight that stands already: nobody is moved back from the canary."""
    first = ceil(weight)
    return (first, *(one for one in steps if one > first)) if first else steps


def compared(files: Iterable[Path]) -> tuple[Mapping[str, Any], ...]:
    """What `compare` wrote; raises NotPossible."""
    try:
        found = tuple(json.loads(file.read_text()) for file in files)
        comparisons(Judging(comparisons=found))
    except ValueError as problem:
        raise NotPossible(f"no comparison: {problem}") from problem
    return found


def read_values(file: Path | None) -> Mapping[str, Any]:
    """A values file; raises NotPossible."""
    try:
        found = yaml.safe_load(file.read_text()) if file else {}
    except yaml.YAMLError as problem:
        raise NotPossible(f"{file}: {problem}") from problem
    return dict(found or {})
