"""The beginning of a rollout: what is asked for, whether it is possible, and its first state."""

import os
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from gateway.release_document import RELEASE_KEY, read_release
from rollout.desk import Desk
from rollout.jury import comparisons, probes_of
from rollout.observed import Observed
from rollout.records import DEPLOYED
from rollout.state import Judging, State
from rollout.wish import NotPossible, Wish, going_on

_ALL: Final = 100

MIXED: Final = (
    "a bundle is promoted from 100 %: callers who are still on the stable track would meet old and "
    "new versions in one call, while its pods are replaced"
)


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
    if len(wish.canaries) > 1 and wish.steps[-1] != _ALL:
        raise NotPossible(MIXED)
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
