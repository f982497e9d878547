"""What an operator asks of a rollout that has begun: another state, which the course follows."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from rollout.actions import Weigh
from rollout.api import Conflict
from rollout.beginning import MIXED, user
from rollout.desk import Desk
from rollout.hands import HelmHands
from rollout.state import Phase, State
from rollout.wish import NotPossible

_ALL = 100


def known(desk: Desk) -> State:
    """The rollout that is kept; raises NotPossible without one."""
    state = desk.store.read()
    if state is None:
        raise NotPossible(f"there is no rollout of {desk.place.release}")
    return state


def resume(state: State, desk: Desk, *, manual: bool | None = None) -> State:
    """Goes on from where it is found, also after somebody else changed the release."""
    _under_way(state)
    if manual is not None:
        state = replace(state, automatic=not manual)
    newest = desk.records.newest() if desk.records else None
    if state.phase is Phase.STEPPING and newest and newest[0] != state.revision:
        return state.saying(f"goes on with Helm's revision {newest[0]}", revision=newest[0])
    return state.saying(f"{user()} resumes")


def step(state: State, _: Desk) -> State:
    """Lets the step pass, whatever is measured."""
    _stepping(state)
    return state.saying(f"{user()} lets {state.target} % pass", approved=True)


def promote(state: State, *, here: bool) -> State:
    """Lets all further steps pass."""
    _stepping(state)
    if here and len(state.canaries) > 1 and state.target != _ALL:
        raise NotPossible(MIXED)
    steps = state.steps[: state.step + 1]
    if not here and state.target != _ALL:
        steps = (*steps, _ALL)
    line = f"{user()} promotes from {state.target} %"
    return state.saying(line, steps=steps, step=len(steps) - 1, approved=True)


def abort(desk: Desk) -> State:
    """Notes who wants it, for whoever is at it, and takes the weight away at once."""
    while True:
        state = known(desk)
        if state.phase is Phase.PROMOTED:
            raise NotPossible(f"it is promoted already: {desk.back(state.before)} goes back")
        if state.over:
            return state
        with suppress(Conflict):
            state = replace(state, ordered=user())
            desk.store.write(state)
            break
    if isinstance(desk.hands, HelmHands):
        _unweigh(desk, desk.hands, state)
    return state


def nothing(release: str) -> State:
    """In place of a rollout where there is none."""
    now = datetime.now(UTC)
    return State("", release, {}, 0, 0, {}, now, phase=Phase.ABORTED, steps=(0,))


def _unweigh(desk: Desk, hands: HelmHands, state: State) -> None:
    """Without the lock: whoever has it may be slow, and less weight is never wrong."""
    while True:
        seen = desk.quick_look()
        if not seen.release.canaries or (seen.weight == 0 and seen.shadow == 0):
            return
        with suppress(Conflict):
            hands.weigh(Weigh(0, 0), state, seen)
            return


def _under_way(state: State) -> None:
    if state.over:
        raise NotPossible(f"rollout {state.id} is over: {state.reason}")


def _stepping(state: State) -> None:
    _under_way(state)
    if state.phase is not Phase.STEPPING:
        raise NotPossible(f"rollout {state.id} is {state.phase}: `resume` goes on with that")
