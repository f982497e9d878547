"""decide(): the next action, from a rollout's state and what is seen of the release; pure.

It remembers nothing, so a rollout that was killed goes on from wherever it was found.
"""

from rollout import climb
from rollout.actions import (
    Action,
    Clear,
    Enter,
    Rest,
    Rollback,
    Stop,
    Sweep,
    Upgrade,
    Values,
    Wait,
    Weigh,
)
from rollout.judge import Outcome
from rollout.observed import Observed
from rollout.state import Phase, State


def decide(state: State, seen: Observed) -> Action:
    """What to do now."""
    if state.over:
        return Rest(state.reason)
    if state.ordered and state.phase is not Phase.ABORTING:
        return Enter(state.entering(Phase.ABORTING, f"{state.ordered} asked for it"))
    if state.phase is Phase.ABORTING:
        return _aborting(state, seen)
    if seen.helm and seen.helm.status.startswith("pending"):
        return _pending(state, seen)
    match state.phase:
        case Phase.STARTING:
            return _starting(state, seen)
        case Phase.STEPPING:
            return _stepping(state, seen)
        case Phase.PROMOTING:
            return _promoting(state, seen)
        case _:
            return _finishing(state, seen)


def _pending(state: State, seen: Observed) -> Action:
    """Helm is at work, or was killed at it."""
    assert seen.helm is not None  # noqa: S101  # the caller looked
    words = f"Helm's revision {seen.helm.number} is {seen.helm.status}"
    if not seen.helm.stuck:
        return Wait(words)
    if state.phase is Phase.STEPPING:
        return Stop(f"{words}, and not by this rollout: `abort` restores {state.before}")
    back = state.before if state.phase is Phase.STARTING else state.revision
    return Rollback(back, f"{words}: Helm was killed in it")


def _starting(state: State, seen: Observed) -> Action:
    if _failed(seen):
        return Enter(state.entering(Phase.ABORTING, "Helm could not install the canary"))
    if seen.release.canaries != state.canaries:
        return Upgrade(Values.CANARY, why="the canary is installed, without weight")
    return Enter(state.entering(Phase.STEPPING, "the canary is installed", revision=_number(seen)))


def _stepping(state: State, seen: Observed) -> Action:
    if not seen.release.canaries:
        line = f"Helm's revision {_number(seen)} has no canary"
        return Enter(state.entering(Phase.ABORTED, line))
    if seen.release.canaries != state.canaries or _number(seen) != state.revision:
        return Stop(
            f"the release changed to Helm's revision {_number(seen)}, whose own weight counts now: "
            f"`resume` goes on with the step, `abort` restores revision {state.before}"
        )
    if raising := climb.to(state, seen, state.target):
        return raising
    if waiting := _untaken(seen, state.target):
        return waiting
    return _judged(state, seen)


def _judged(state: State, seen: Observed) -> Action:
    stands = f"{state.target} % stands"
    if not state.automatic and not state.approved:
        return Rest(f"{stands}: `step` or `promote` goes on, `abort` goes back")
    verdict = seen.verdict
    if state.automatic and verdict and verdict.outcome is Outcome.FAIL:
        return Enter(state.entering(Phase.ABORTING, f"at {state.target} %: {verdict.words}"))
    if not state.approved and (verdict is None or verdict.outcome is Outcome.HOLD):
        return Wait(f"{stands}, {verdict.words if verdict else 'nothing was read yet'}", held=True)
    passed = verdict.words if verdict and not state.approved else "as asked"
    if state.step + 1 == len(state.steps):
        line = f"{state.target} % passed ({passed}): promotion"
        return Enter(state.entering(Phase.PROMOTING, line, approved=False))
    line = f"{state.target} % passed ({passed}): on to {state.steps[state.step + 1]} %"
    return Enter(state.saying(line, step=state.step + 1, approved=False))


def _promoting(state: State, seen: Observed) -> Action:
    stables = seen.release.stables
    if _failed(seen) or any(stables.get(one) != new for one, new in state.canaries.items()):
        why = "the canary's versions become the stable ones"
        return Upgrade(Values.PROMOTED, weight=seen.weight, why=why)
    for model in sorted(state.canaries):
        pods = seen.stable[model]
        short = pods.wanted - pods.ready
        # It gets its GPU when the canary, which answers for it, goes.
        late = seen.take_from_stable and pods.no_gpu and short == 1 and pods.ready
        if not pods.settled and not late:
            why = f"the stable pods of {model} are being replaced: {pods.ready} are ready"
            return Wait(f"{why}: {pods.waiting}" if pods.waiting else why, held=pods.no_gpu)
    line = "the stable pods are ready"
    return Enter(state.entering(Phase.FINISHING, line, revision=_number(seen)))


def _finishing(state: State, seen: Observed) -> Action:
    if seen.release.canaries or _failed(seen):
        if seen.helm is not None:
            if seen.weight > 0:
                return Weigh(0, 0, "everyone goes to the stable track")
            if waiting := _untaken(seen, 0):
                return waiting
        return Upgrade(Values.PLAIN, why="the canary is removed")
    if seen.overlay_version:
        return Clear()
    return Enter(state.entering(Phase.PROMOTED, _promoted(state)))


def _promoted(state: State) -> str:
    versions = ", ".join(f"{model} {version}" for model, version in sorted(state.canaries.items()))
    return f"promoted: {versions}"


def _aborting(state: State, seen: Observed) -> Action:
    if seen.helm is None:
        if seen.release.canaries:
            return Upgrade(Values.PLAIN, why="the canary is removed")
        return Enter(state.entering(Phase.ABORTED, state.reason))
    if seen.release.canaries and (seen.weight > 0 or seen.shadow > 0):
        return Weigh(0, 0, "everyone goes to the stable track")
    if seen.helm.status.startswith("pending") and not seen.helm.stuck:
        return Wait(f"Helm's revision {seen.helm.number} is {seen.helm.status}")
    if seen.helm.status != "deployed" or seen.release.document.revision != state.document:
        return Rollback(state.before, "everything as before the canary")
    # Helm removes what its newest record has and the new one has not. That of a rollback that did
    # not come to its end has no canary, so that the next rollback leaves the canary where it is.
    if any(model in seen.canary for model in state.canaries):
        return Sweep()
    if seen.overlay_version:
        return Clear()
    return Enter(state.entering(Phase.ABORTED, state.reason))


def _untaken(seen: Observed, weight: float) -> Wait | None:
    late = len(seen.gateways) - len(seen.taken(weight))
    if not late:
        return None
    unread = [one.problem for one in seen.gateways if one.weight is None]
    words = f", {len(unread)} cannot be read: {unread[0]}" if unread else ""
    return Wait(f"{late} of {len(seen.gateways)} gateways have not taken {weight:g} % yet{words}")


def _failed(seen: Observed) -> bool:
    return seen.helm is not None and seen.helm.status == "failed"


def _number(seen: Observed) -> int:
    return seen.helm.number if seen.helm else 0
