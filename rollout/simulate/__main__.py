"""The figures of docs/judging.md: what becomes of simulated canaries.

    python -m rollout.simulate --into docs/judging.md

Takes minutes. Writes between the two marks in that file, or prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from rollout.judge import Outcome
from rollout.simulate.runs import Run, rollouts, share
from rollout.simulate.scenarios import CANARIES, FAULTS, GOOD, SEED, Scenario

BEGIN: Final = "<!-- figures: python -m rollout.simulate --into docs/judging.md -->"
END: Final = "<!-- end of figures -->"


def report(canaries: int) -> Iterator[str]:
    """The table, line by line."""
    yield "| canary | rolled back | promoted | half of the verdicts by | 95 % by | bound |"
    yield "|---|---|---|---|---|---|"
    for scenario in GOOD:
        yield _line(scenario, scenario.name, canaries)
    for scenario in FAULTS:
        yield _line(scenario, scenario.name, canaries)
    yield ""
    yield "And the same canaries without their fault, looked at as long:"
    yield ""
    yield "| canary | of | rolled back |"
    yield "|---|---|---|"
    for scenario in FAULTS:
        some = canaries // 10
        runs = rollouts(scenario.without_fault().draw, some, SEED, scenario.within)
        yield f"| {scenario.name} | {some} | {share(runs, Outcome.FAIL):.1%} |"


def _line(scenario: Scenario, name: str, canaries: int) -> str:
    runs = rollouts(scenario.draw, canaries, SEED, scenario.within)
    failed, passed = share(runs, Outcome.FAIL), share(runs, Outcome.PASS)
    bound = (
        f"over 95 % within {scenario.most:,} {scenario.counted}"
        if scenario.wanted is Outcome.FAIL
        else "under 1 % rolled back"
    )
    half, most = (_reached(runs, scenario, part) for part in (0.5, 0.95))
    return f"| {name} | {failed:.1%} | {passed:.1%} | {half} | {most} | {bound} |"


def _reached(runs: tuple[Run, ...], scenario: Scenario, part: float) -> str:
    looks = sorted(run.looks for run in runs if run.outcome is not Outcome.HOLD)
    place = int(part * len(runs))
    return f"{looks[place] * scenario.each:,} {scenario.counted}" if place < len(looks) else "-"


@click.command()
@click.option("--into", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--canaries", default=CANARIES, show_default=True)
def main(*, into: Path | None, canaries: int) -> None:
    """Simulates canaries and tells what became of them."""
    text = "\n".join(report(canaries))
    if into is None:
        click.echo(text)
        return
    before, _, rest = into.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    into.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


if __name__ == "__main__":
    main()
