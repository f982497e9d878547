"""The beginning of a rollout: what is asked for, whether it is possible, and its first state."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from gateway.release_document import RELEASE_KEY, read_release
from rollout.desk import Desk
from rollout.jury import comparisons, probes_of
from rollout.observed import Observed
from rollout.records import DEPLOYED
from rollout.state import STEPS, Judging, State


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


def begin(desk: Desk, wish: Wish) -> State:
    """The first state of a new rollout, kept; raises NotPossible."""
    had = desk.store.read()
    if had and not had.over:
        raise NotPossible(
            f"rollout {had.id} is {had.phase}: `resume` goes on with it, `abort` ends it"
        )
    seen = desk.quick_look()
    _check(seen, wish, desk)
    now = datetime.now(UTC)
    before, document = _way_back(seen, desk)
    state = State(
        id=f"{now:%Y%m%d-%H%M%S}-{uuid4().hex[:6]}",
        release=desk.place.release,
        canaries=dict(wish.canaries),
        before=before,
        document=document,
        full={model: seen.stable[model].wanted for model in wish.canaries},
        started=now,
        steps=going_on(wish.steps, seen.weight),
        shadow=wish.shadow,
        automatic=wish.automatic,
        judging=wish.judging,
        chart=wish.chart,
        values=wish.values,
    )
    names = ", ".join(f"{model} {version}" for model, version in sorted(wish.canaries.items()))
    verb = f"takes over, from {seen.weight:g} %," if seen.release.canaries else "starts"
    state = state.saying(f"{user()} {verb} {names}")
    desk.store.write(state)
    return state


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
    if not found or sorted({*found}) != list(found) or not 0 < found[0] <= found[-1] <= 100:
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


def user() -> str:
    """Who is at the keyboard, or which pipeline."""
    return os.environ.get("GITHUB_ACTOR") or os.environ.get("USER") or f"user {os.getuid()}"


def _check(seen: Observed, wish: Wish, desk: Desk) -> None:
    if seen.release.canaries:
        _check_taking_over(seen, wish)
    if desk.records and (seen.helm is None or seen.helm.status != DEPLOYED):
        status = f"is {seen.helm.status}" if seen.helm else "is not there"
        raise NotPossible(f"Helm's newest revision {status}: `helm history` says more")
    for model in wish.canaries:
        if model not in seen.stable:
            known = ", ".join(sorted(seen.stable)) or "none"
            raise NotPossible(f"there is no model {model}; there are: {known}")
    if wish.automatic:
        _check_judging(wish.judging)
        _check_comparisons(seen, wish, desk)


def _check_taking_over(seen: Observed, wish: Wish) -> None:
    if seen.release.canaries != wish.canaries:
        on = " ".join(f"{model}={version}" for model, version in seen.release.canaries.items())
        raise NotPossible(
            f"a canary is on already: `start {on}` takes it over, `status` says how to go back"
        )
    if wish.values:
        raise NotPossible("the canary is on already, with values of its own: leave --values out")


def _way_back(seen: Observed, desk: Desk) -> tuple[int, int]:
    """Helm's revision before the canary, and what the release document calls it then."""
    if desk.records is None or seen.helm is None:
        return 0, seen.release.document.revision
    if not seen.release.canaries:
        return seen.helm.number, seen.release.document.revision
    before = desk.records.before_canary(seen.helm.number)
    if before is None:
        raise NotPossible("Helm has no revision without this canary: an abort could not go back")
    rendered = desk.records.read(before).object("ConfigMap", desk.names.document_name)
    if rendered is None:
        raise NotPossible(f"Helm's revision {before} has no release document")
    return before, read_release(rendered["data"][RELEASE_KEY]).revision


def _check_judging(judging: Judging) -> None:
    """Without these it would hold for ever, so it is said before anything is started."""
    if "agreement" not in judging.without and not judging.comparisons:
        raise NotPossible(
            "--comparison FILE of `python -m rollout compare`, or --without agreement"
        )
    if "accuracy" not in judging.without and not (judging.probes and judging.gateway):
        raise NotPossible("--probes SET and --gateway HOST:PORT, or --without accuracy")
    try:
        probes_of(judging)
    except ValueError as problem:
        raise NotPossible(str(problem)) from problem


def _check_comparisons(seen: Observed, wish: Wish, desk: Desk) -> None:
    """One of each feature, of the very versions that it is about."""
    if "agreement" in wish.judging.without or desk.records is None:
        return
    models = desk.records.live().values().get("models", {})
    found = {(one.feature, one.stable, one.canary) for one in comparisons(wish.judging)}
    for model, version in wish.canaries.items():
        feature = models[model]["feature"]
        stable = seen.release.document.stable[feature].version
        if (feature, stable, version) not in found:
            raise NotPossible(
                f"no comparison of {feature} {stable} with {version}: "
                "`python -m rollout compare` makes one"
            )
