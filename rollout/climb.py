"""The way up to a weight: pods first, then the weight; pure."""

from math import ceil

from rollout.actions import Action, Scale, Upgrade, Values, Wait, Weigh
from rollout.observed import Observed, Pods
from rollout.state import State

_ALL = 100


def to(state: State, seen: Observed, target: int) -> Action | None:
    """The next action on the way to the target; None once it is reached."""
    shadow = state.shadow if target < _ALL else 0.0
    if seen.weight == target and seen.shadow == shadow and (not seen.helm or seen.laid):
        return None
    if seen.helm is None and seen.release.document.weight != target:
        # Who renders the chart gives the canary its pods, and the gateways wait for these.
        return Upgrade(Values.CANARY, weight=target, why=f"{target} % is asked for")
    if seen.weight <= target:  # a weight that others set may stand before there are pods for it
        for model in sorted(state.canaries):
            if action := _pods(state, seen, model, target):
                return action
    if seen.helm is None:
        return None
    return Weigh(target, shadow, f"{target} % of the calls go to the canary")


def replicas(stable: int, weight: float, shadow: float) -> int:
    """Canary pods for a weight, in proportion to the stable ones; copies are load as well."""
    return max(1, ceil(stable * (weight + shadow * (_ALL - weight) / _ALL) / _ALL))


def _pods(state: State, seen: Observed, model: str, target: int) -> Action | None:
    canary, stable = seen.canary.get(model, Pods(0, 0, settled=False)), seen.stable[model]
    # An autoscaler may have made more of them since, or fewer where the canary has their load.
    full = max(state.full.get(model, 0), stable.wanted)
    wanted = replicas(full, target, state.shadow if target < _ALL else 0.0)
    allowed = wanted
    if seen.max_extra is not None:
        allowed = max(1, min(wanted, seen.max_extra + full - stable.wanted))
    if seen.helm is not None and canary.wanted < allowed:
        why = f"{allowed} canary pods of {model} for {target} %"
        return Scale(model, "canary", allowed, why)
    if canary.ready >= wanted:
        return None
    if canary.no_gpu or allowed < wanted:
        return _without_gpu(seen, model, canary, wanted, full)
    words = f": {canary.waiting}" if canary.waiting else ""
    return Wait(f"{canary.ready} of {wanted} canary pods of {model} are ready{words}")


def _without_gpu(seen: Observed, model: str, canary: Pods, wanted: int, full: int) -> Action | None:
    """Holds, or takes one stable replica and lets the canary be one short, if that is allowed."""
    stable = seen.stable[model]
    if seen.take_from_stable and seen.helm is not None:
        if stable.wanted == full and full > 1:
            why = f"no GPU is free: the canary of {model} gets that of one stable pod"
            return Scale(model, "stable", full - 1, why)
        if 0 < canary.ready == wanted - 1 and stable.wanted < full:
            return None
    words = canary.waiting if canary.no_gpu else f"canary.maxExtra is {seen.max_extra}"
    return Wait(f"no GPU is free for {model}: {words}", held=True)
