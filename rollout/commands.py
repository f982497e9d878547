"""The commands of `python -m rollout`."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click
from rich.live import Live

from rollout import beginning, orders, wish
from rollout.actions import Wait
from rollout.cli import cli
from rollout.course import Ending, Scene
from rollout.decide import decide
from rollout.desk import Desk, Place
from rollout.judge.plan import SHARES
from rollout.jury import probes_of, standing
from rollout.lease import Locked
from rollout.showing import console, follow, say
from rollout.state import STEPS, Judging, State
from rollout.table import as_json, plain, table
from rollout.wish import Wish

# A holder that was killed is not heard of for so long before its lock is free.
_PATIENCE: Final = 25.0
_REFRESH: Final = 2.0


@cli.command()
@click.argument("versions", nargs=-1, metavar="MODEL=VERSION...")
@click.option("--values", "-f", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Values of the canaries, such as a package's digest.")  # fmt: skip
@click.option("--steps", default=",".join(map(str, STEPS)), show_default=True, help="Percents.")
@click.option("--manual", is_flag=True, help="Rest after each step; `step` goes on.")
@click.option("--shadow", type=click.FloatRange(0, 100), default=10.0, show_default=True,
              help="Percent of the stable track's calls that are copied to it.")  # fmt: skip
@click.option("--comparison", multiple=True, type=click.Path(exists=True, path_type=Path),
              help="What `compare` wrote, one for each model.")  # fmt: skip
@click.option("--probes", default="", metavar="SET",
              help="Labelled photos: `built-in`, or an address with @sha256:DIGEST.")  # fmt: skip
@click.option("--gateway", default="", metavar="HOST:PORT", help="Where probes are sent.")
@click.option("--prometheus", default="", help="Its URL; else every pod's own page is read.")
@click.option("--without", multiple=True, type=click.Choice(sorted(SHARES)),
              help="Do without a kind of signal.")  # fmt: skip
@click.option("--calls", type=int, default=0, help="Calls of the canary that decide a step.")
@click.option("--photos", type=int, default=0, help="Compared photos that decide rare labels.")
@click.option("--chart", default="", help="A chart; else the live release's own is kept.")
@click.option("--patience", type=float, default=3600.0, show_default=True,
              help="Seconds without a step after which to give up (code 3).")  # fmt: skip
@click.pass_obj
def start(
    place: Place, /, versions: tuple[str, ...], steps: str, patience: float, **options: Any
) -> int:
    """Start a canary, and go through the steps."""
    desk = Desk(place)
    wanted = _wish(versions, steps, **options)
    with desk.lock() as lease:
        state = beginning.begin(desk, wanted)
        return follow(desk, state, lease, patience)


@cli.command()
@click.option("--patience", type=float, default=3600.0, help="As for `start`.")
@click.option("--manual/--automatic", default=None, help="Go on by hand, or judged.")
@click.pass_obj
def resume(place: Place, patience: float, *, manual: bool | None) -> int:
    """Go on with a rollout that was killed, interrupted or stopped."""
    return _ordered(place, lambda state, desk: orders.resume(state, desk, manual=manual), patience)


@cli.command()
@click.option("--patience", type=float, default=3600.0, help="As for `start`.")
@click.pass_obj
def step(place: Place, patience: float) -> int:
    """Take the next step, whatever is measured."""
    return _ordered(place, orders.step, patience)


@cli.command()
@click.option("--here", is_flag=True, help="From this weight, not by way of 100 %.")
@click.option("--patience", type=float, default=3600.0, help="As for `start`.")
@click.pass_obj
def promote(place: Place, patience: float, *, here: bool) -> int:
    """Go to 100 % and make the canary stable, whatever is measured."""
    return _ordered(place, lambda state, _: orders.promote(state, here=here), patience)


@cli.command()
@click.pass_obj
def abort(place: Place) -> int:
    """Send everyone back to the stable track at once, then restore the revision before."""
    desk = Desk(place)
    state = orders.abort(desk)
    console.print(f"{desk.back(state.before)} does the same without this tool", soft_wrap=True)
    while not state.over:
        try:
            with desk.lock() as lease:
                code = follow(desk, state, lease, _PATIENCE * 6)
                return Ending.DONE if code == Ending.ROLLED_BACK else code
        except Locked as locked:
            console.print(f"asked to abort: {locked}", soft_wrap=True)
            time.sleep(_REFRESH)
        state = orders.known(desk)
    return say(state.reason, Ending.DONE)


@cli.command()
@click.option("--json", "as_text", is_flag=True, help="For programs.")
@click.pass_obj
def status(place: Place, *, as_text: bool) -> int:
    """Show where the rollout is, and the command that restores everything."""
    desk = Desk(place)
    state, scene, back = _scene(desk)
    if as_text:
        console.print_json(json.dumps(as_json(state, scene.seen.observed, back)))
    elif state:
        console.print(table(scene, back))
    else:
        console.print(plain(scene.seen.observed, back))
    return Ending.DONE


@cli.command()
@click.pass_obj
def watch(place: Place) -> int:
    """Show the table, again and again, until the rollout is over."""
    desk = Desk(place)
    with Live(console=console, auto_refresh=False) as live:
        while True:
            state, scene, back = _scene(desk)
            shown = table(scene, back) if state else plain(scene.seen.observed, back)
            live.update(shown, refresh=True)
            if state is None or state.over:
                return Ending.DONE
            time.sleep(_REFRESH)


def _wish(
    versions: tuple[str, ...],
    steps: str,
    *,
    values: Path | None,
    comparison: tuple[Path, ...],
    **options: Any,
) -> Wish:
    own = wish.read_values(values)
    return Wish(
        canaries=wish.canaries(versions, own),
        values=own,
        steps=wish.steps(steps),
        shadow=options["shadow"],
        automatic=not options["manual"],
        chart=options["chart"],
        judging=Judging(
            comparisons=wish.compared(comparison),
            probes=options["probes"],
            gateway=options["gateway"],
            prometheus=options["prometheus"],
            without=options["without"],
            calls=options["calls"],
            photos=options["photos"],
        ),
    )


def _scene(desk: Desk) -> tuple[State | None, Scene, str]:
    """What an onlooker sees, who changes nothing."""
    state = desk.store.read()
    seen = desk.observer(state.judging.prometheus if state else "").look()
    if state is None or (state.over and seen.observed.release.canaries):
        newest = seen.observed.helm
        before = desk.records.before_canary(newest.number) if desk.records and newest else None
        nothing = orders.nothing(desk.place.release)
        return None, Scene(nothing, seen, Wait("")), desk.back(before)
    verdict = standing(state, seen.features, probes_of(state.judging))
    seen = replace(seen, observed=replace(seen.observed, verdict=verdict))
    return state, Scene(state, seen, decide(state, seen.observed)), desk.back(state.before)


def _ordered(place: Place, change: Callable[[State, Desk], State], patience: float) -> int:
    desk = Desk(place)
    with desk.lock(_PATIENCE) as lease:
        state = change(orders.known(desk), desk)
        desk.store.write(state)
        return follow(desk, state, lease, patience)
