"""The operator's values of a release, with a canary, promoted, and without one; pure."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any, Final

from rollout.api import Json
from rollout.records import laid_over

# The chart (templates/_merged.tpl) lays these of a canary's blocks over the model's as a whole.
_WHOLE: Final = ("accelerator", "scaling", "disruptionBudget")


def with_canary(
    values: Json, canaries: Mapping[str, str], own: Mapping[str, Any], weight: float, shadow: float
) -> Json:
    """A canary of these versions; `own` has further values of theirs, such as a digest."""
    made: Json = laid_over(deepcopy(values), dict(own))
    for model, version in canaries.items():
        _canary_of(made, model)["version"] = version
    return _weighed(made, weight, shadow)


def promoted(values: Json, models: Iterable[str], weight: float) -> Json:
    """What was the canary's is the model's; the canary stays, and answers until that is ready."""
    made = deepcopy(values)
    for model in models:
        canary = _canary_of(made, model)
        under = {name: value for name, value in made["models"][model].items() if name != "canary"}
        _make_way(under, canary)
        made["models"][model] = {**laid_over(under, deepcopy(canary)), "canary": canary}
    return _weighed(made, weight, 0)


def plain(values: Json, models: Iterable[str]) -> Json:
    """No canary."""
    made = deepcopy(values)
    for model in models:
        made.get("models", {}).get(model, {}).pop("canary", None)
    return _weighed(made, 0, 0)


def _make_way(under: Json, over: Json) -> None:
    """Takes away what does not count beside `over`; a tag takes the place of a digest, too."""
    for name, value in over.items():
        old = under.get(name)
        if name in _WHOLE:
            under.pop(name, None)
        elif isinstance(old, dict) and isinstance(value, dict):
            if name == "image" and "tag" in value and "digest" not in value:
                old.pop("digest", None)
            _make_way(old, value)


def _canary_of(values: Json, model: str) -> Json:
    block: Json = values.setdefault("models", {}).setdefault(model, {})
    canary: Json = block.setdefault("canary", {})
    return canary


def _weighed(values: Json, weight: float, shadow: float) -> Json:
    canary = values.get("canary") or {}
    values["canary"] = {**canary, "weight": _short(weight), "shadow": _short(shadow)}
    return values


def _short(percent: float) -> float | int:
    return int(percent) if percent == int(percent) else percent
