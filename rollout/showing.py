"""How a command shows what goes on: a table that lives, or lines that stay."""

from rich.console import Console
from rich.live import Live

from rollout.actions import Wait
from rollout.course import Ending, Scene
from rollout.desk import Desk
from rollout.lease import Lease
from rollout.state import State
from rollout.table import table

console = Console()


def follow(desk: Desk, state: State, lease: Lease | None, patience: float) -> int:
    """Goes through the rollout, and shows it; the exit code."""
    if not console.is_terminal:
        lines = Lines(console)
        with desk.course(state, lease, lines.show) as course:
            ending, why = course.follow(patience)
        return say(f"{why}; back to before: {desk.back(state.before)}", ending)
    with Live(console=console, auto_refresh=False) as live:

        def show(scene: Scene) -> None:
            live.update(table(scene, desk.back(state.before)), refresh=True)

        with desk.course(state, lease, show) as course:
            ending, why = course.follow(patience)
    return say(why, ending)


def say(line: str, ending: Ending) -> int:
    """Prints the last line; the exit code."""
    console.print(line, highlight=False, soft_wrap=True, markup=False)
    return ending


class Lines:
    """Prints what is done and what is waited for, a line each, when it changes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._logged = 0
        self._said = ""

    def show(self, scene: Scene) -> None:
        """Prints what is new."""
        for line in scene.state.log[self._logged :]:
            self._say(line)
        self._logged = len(scene.state.log)
        words = "held" if isinstance(scene.action, Wait) and scene.action.held else ""
        kind = words or type(scene.action).__name__.lower()
        if kind not in ("enter", "rest") and scene.action.why != self._said:
            self._said = scene.action.why
            self._say(f"         {kind}: {scene.action.why}")

    def _say(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True, markup=False)
