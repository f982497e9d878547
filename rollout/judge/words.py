"""Words for an operator: what a signal counted, how sure that is, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rollout.judge.observation import Count
from rollout.judge.sequential import ShareTest, SignTest

if TYPE_CHECKING:
    from rollout.judge.plan import Plan, Watch
    from rollout.judge.record import Evidence

# No assumption holds so well that larger odds meant more.
_MANY: Final = 1_000_000


def odds(ratio: float) -> str:
    """How improbable so much evidence is without a cause."""
    return (
        "on a canary as good as stated, evidence as strong as this is seen "
        f"at most once in {min(ratio, _MANY):,.0f} rollouts"
    )


def counted(watch: Watch, had: Evidence, edge: float | None) -> str:
    """The signal's figures."""
    canary, stable = had.tracks.canary, had.tracks.stable
    match watch.test:
        case SignTest():
            pairs = had.pairs
            return (
                f"of {pairs.asked} probes the canary lost {pairs.lost} that the stable track "
                f"answers rightly, and won {pairs.won}"
            )
        case ShareTest(expected=expected):
            return f"differs on {_of(canary)} photos, expected at most {_percent(expected)}"
    if watch.kind == "latency":
        above = "slower than the stable track's " + watch.what
        slow = above if edge is None else f"{above}, {edge:g} s"
        return f"{slow}: canary {_of(canary)} calls, stable {_of(stable)}"
    what = "not answered in full" if watch.kind == "completeness" else watch.what
    return f"{what}: canary {_of(canary)} calls, stable {_of(stable)}"


def lacking(plan: Plan, watch: Watch, had: Evidence, before: Count) -> str:
    """What the signal waits for."""
    trials = had.tracks.canary.trials
    match watch.test:
        case SignTest():
            asked, of = had.pairs.asked, plan.probes[watch.feature]
            return f"{watch.name}: {asked} of {of} labels asked"
        case ShareTest():
            enough = watch.test.enough(plan.needed(watch), plan.miss / 2)
            return f"{watch.name}: {trials} photos compared, at most {enough} needed"
    if not trials:
        return f"{watch.name}: no calls of the canary counted yet"
    if not had.tracks.stable.trials and not before.trials:
        return f"{watch.name}: no calls of the stable track counted yet"
    return f"{watch.name}: {trials} calls of the canary, at most {plan.calls} needed"


def _of(count: Count) -> str:
    return f"{count.events} of {count.trials} ({_percent(count.share)})"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
