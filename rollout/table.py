"""A rollout at a glance: a table for people, an object for programs."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rollout.actions import Stop, Wait
from rollout.course import Scene
from rollout.judge import Outcome, Verdict
from rollout.observed import Observed, Pods
from rollout.state import State

_SIGNALS: Final = 8
_LINES: Final = 6
_STYLES: Final = {Outcome.PASS: "green", Outcome.FAIL: "bold red", Outcome.HOLD: "yellow"}


def table(scene: Scene, back: str) -> RenderableType:
    """The rollout at a glance; `back` is the command that restores everything."""
    state, seen = scene.state, scene.seen.observed
    return Group(
        _head(state, seen),
        _models(state.canaries, seen),
        *_signals(seen.verdict),
        Text(""),
        *(Text(line, style="dim") for line in state.log[-_LINES:]),
        _now(scene),
        Text(f"without this tool: {back}", style="dim"),
    )


def plain(scene_of: Observed, back: str) -> RenderableType:
    """A release that no rollout is about, with its canary if there is one."""
    parts: list[RenderableType] = [_models(scene_of.release.canaries, scene_of)]
    if scene_of.release.canaries:
        parts.append(Text(f"weight {scene_of.weight:g} %; back to before: {back}"))
    else:
        parts.append(Text("no canary"))
    return Group(*parts)


def as_json(state: State | None, seen: Observed, back: str) -> dict[str, Any]:
    """For programs."""
    return {
        "rollout": state.id if state else None,
        "phase": state.phase if state else None,
        "step": state.target if state else None,
        "reason": state.reason if state else "",
        "weight": seen.weight,
        "shadow": seen.shadow,
        "revision": seen.helm.number if seen.helm else None,
        "helm": seen.helm.status if seen.helm else None,
        "canaries": dict(seen.release.canaries),
        "gateways": {one.name: one.weight for one in seen.gateways},
        "stable": {name: [one.ready, one.wanted] for name, one in seen.stable.items()},
        "canary": {name: [one.ready, one.wanted] for name, one in seen.canary.items()},
        "back": back,
        "log": list(state.log) if state else [],
    }


def _head(state: State, seen: Observed) -> Text:
    way = " > ".join(
        f"[{one}]" if number == state.step else f"{one}" for number, one in enumerate(state.steps)
    )
    taken = f"{len(seen.taken(seen.weight))} of {len(seen.gateways)} gateways"
    helm = f", Helm's revision {seen.helm.number} {seen.helm.status}" if seen.helm else ""
    return Text.assemble(
        (f"{state.release}  {state.phase}  {seen.weight:g} %", "bold"),
        f" taken by {taken}, shadow {seen.shadow:g} %{helm}\n",
        f"rollout {state.id}, steps {way} %, {'automatic' if state.automatic else 'by hand'}",
    )


def _models(canaries: Mapping[str, str], seen: Observed) -> Table:
    shown = Table("model", "stable", "pods", "canary", "pods", box=None, padding=(0, 2, 0, 0))
    for model in sorted(canaries or seen.stable):
        stable = seen.release.stables.get(model, "")
        canary = canaries.get(model, "")
        pods = (_pods(track.get(model)) for track in (seen.stable, seen.canary))
        shown.add_row(model, stable, next(pods), canary, next(pods))
    return shown


def _pods(pods: Pods | None) -> Text:
    if pods is None:
        return Text("-")
    style = "green" if pods.ready >= pods.wanted else "yellow"
    return Text(f"{pods.ready}/{pods.wanted}", style=style)


def _signals(verdict: Verdict | None) -> Iterator[RenderableType]:
    if verdict is None:
        return
    shown = Table("signal", "", "counted", box=None, padding=(0, 2, 0, 0))
    for one in verdict.signals[:_SIGNALS]:
        shown.add_row(one.name, Text(one.outcome, style=_STYLES[one.outcome]), one.words)
    yield Text("")
    yield shown
    if len(verdict.signals) > _SIGNALS:
        yield Text(f"and {len(verdict.signals) - _SIGNALS} more", style="dim")


def _now(scene: Scene) -> Text:
    style = ""
    if isinstance(scene.action, Stop) or (isinstance(scene.action, Wait) and scene.action.held):
        style = "yellow"
    return Text(scene.action.why, style=style)
