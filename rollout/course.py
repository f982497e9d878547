"""The course of a rollout: look, decide, do, until it rests."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from rollout.actions import Action, Enter, Rest, Stop, Upgrade, Wait
from rollout.api import Conflict, Refused, Unreachable
from rollout.decide import decide
from rollout.hands import Hands
from rollout.helm import HelmFailed
from rollout.judge import Verdict
from rollout.jury import Jury
from rollout.lease import Lease
from rollout.observe import Observer, Seen
from rollout.state import Phase, State
from rollout.store import Store

_PAUSE: Final = 1.0
_TRIES: Final = 4


class Ending(IntEnum):
    """How a command ends: its exit code."""

    DONE = 0  # what was asked for
    ROLLED_BACK = 1  # the canary was judged, or somebody else asked for it
    MISUSE = 2  # as click has it: nothing was done
    HELD = 3  # it waits for longer than wanted; `resume` goes on
    LOCKED = 4  # somebody else is at it
    STOPPED = 5  # a human has to decide
    UNREACHABLE = 6  # the API server refused, or did not answer


@dataclass(frozen=True)
class Scene:
    """What an onlooker is shown."""

    state: State
    seen: Seen
    action: Action


class Course:
    """Goes through one rollout, as its only process."""

    def __init__(
        self,
        observer: Observer,
        store: Store,
        hands: Hands,
        jury: Jury,
        lease: Lease | None,
        show: Callable[[Scene], None],
    ) -> None:
        self._observer = observer
        self._store = store
        self._hands = hands
        self._jury = jury
        self._lease = lease
        self._show = show
        self._last: tuple[Action | None, int] = (None, 0)
        self._verdict: Verdict | None = None
        self._step = -1

    def follow(self, patience: float) -> tuple[Ending, str]:
        """Until it is over, rests, or waits for longer than `patience` seconds for the same."""
        since, moved = time.monotonic(), ""
        while True:
            try:
                state, seen, action = self._next()
                self._show(Scene(state, seen, action))
                match action:
                    case Rest(why=why):
                        return _ending(state), why
                    case Stop(why=why):
                        return Ending.STOPPED, why
                    case Wait(why=why):
                        if time.monotonic() - since > patience:
                            return Ending.HELD, why
                        time.sleep(_PAUSE)
                    case _:
                        if stopped := self._do(action, state, seen):
                            return stopped
            except Conflict:
                continue  # somebody wrote since it was looked at
            except Unreachable as away:
                if time.monotonic() - since > patience:
                    return Ending.UNREACHABLE, str(away)
                time.sleep(_PAUSE)
                continue
            now = f"{state.phase} {state.step}"
            if now != moved:
                since, moved = time.monotonic(), now

    def _next(self) -> tuple[State, Seen, Action]:
        state = self._store.read()
        if state is None:
            raise Refused("the rollout's state", "it was removed")
        seen = self._observer.look()
        if state.phase is Phase.STEPPING and state.automatic:
            state, seen = self._judged(state, seen)
        return state, seen, decide(state, seen.observed)

    def _judged(self, state: State, seen: Seen) -> tuple[State, Seen]:
        if state.step != self._step:
            self._step, self._verdict = state.step, None
        if found := self._jury.look(state, seen):
            record, self._verdict = found
            state = replace(state, record=record)
            self._store.write(state)
        return state, replace(seen, observed=replace(seen.observed, verdict=self._verdict))

    def _do(self, action: Action, state: State, seen: Seen) -> tuple[Ending, str] | None:
        if self._lease:
            self._lease.mine()
        if isinstance(action, Enter):
            self._store.write(action.state)
            return None
        if self._repeated(action):
            return Ending.STOPPED, f"{action.why}: done {_TRIES} times without effect"
        try:
            if not self._hands.do(action, state, seen.observed):
                self._last = (None, 0)  # it is for others to follow
                time.sleep(_PAUSE)
        except HelmFailed as failure:
            if state.phase is Phase.STARTING and isinstance(action, Upgrade):
                line = f"Helm could not install the canary: {failure}"
                self._store.write(state.entering(Phase.ABORTING, line))
                return None
            if self._last[1] >= _TRIES - 1:
                return Ending.STOPPED, str(failure)
            time.sleep(_PAUSE)
        return None

    def _repeated(self, action: Action) -> bool:
        before, times = self._last
        self._last = (action, times + 1 if action == before else 1)
        return self._last[1] > _TRIES


def _ending(state: State) -> Ending:
    return Ending.ROLLED_BACK if state.phase is Phase.ABORTED else Ending.DONE
