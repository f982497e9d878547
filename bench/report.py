"""What a bench found: a table for people, JSON for comparison."""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Round:
    """One measurement of one scenario."""

    number: int  # of the round
    limit: str  # the scenario that it is compared with
    scenario: str
    shape: str  # how the limit's workers used the cores
    images: int
    seconds: float
    cpu_seconds: float  # of the servers (or the limit's workers), not of the callers
    p50: float = 0.0  # seconds; 0 for the limit, which answers nobody
    p95: float = 0.0
    limit_rate: float = 0.0  # images per second of the limit in the same round; 0: not known yet
    limit_cpu: float = 0.0  # its CPU seconds per image

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds

    @property
    def cpu(self) -> float:
        """CPU seconds per image."""
        return self.cpu_seconds / self.images

    @property
    def ratio(self) -> float:
        """Share of the limit that was reached."""
        return self.rate / self.limit_rate


def in_best_shape(rounds: Iterable[Round]) -> tuple[Round, ...]:
    """Only the shape of each limit that answered most in the whole run, and all beside it.

    The best of each round would be a higher mark than any way to use the cores can keep up: of
    several figures that chance moves, the largest is one that it moved up.
    """
    found = tuple(rounds)
    best: dict[str, str] = {}
    for scenario in {one.scenario for one in found if one.shape}:
        shapes: dict[str, float] = {}
        for one in found:
            if one.scenario == scenario:
                shapes[one.shape] = shapes.get(one.shape, 0.0) + one.rate
        best[scenario] = max(shapes, key=lambda shape: shapes[shape])
    return tuple(one for one in found if not one.shape or one.shape == best[one.scenario])


def compared(rounds: Sequence[Round]) -> tuple[Round, ...]:
    """The same with what the limit reached in the same round."""
    limits = {(one.number, one.scenario): one for one in rounds if one.scenario == one.limit}
    return tuple(
        replace(
            one,
            limit_rate=limits[one.number, one.limit].rate,
            limit_cpu=limits[one.number, one.limit].cpu,
        )
        for one in rounds
    )


def table(rounds: Sequence[Round]) -> str:
    """The median of each scenario's rounds, as Markdown.

    Behind the CPU time in brackets: the limit's, as a share of it. Other work on the machine hardly
    moves that figure, while it moves images per second at will.
    """
    lines = [
        "| scenario | images/s | share of the limit (min to max) | CPU ms/image | p50 ms | p95 |",
        "|---|---|---|---|---|---|",
    ]
    for scenario in dict.fromkeys(one.scenario for one in rounds):
        own = [one for one in rounds if one.scenario == scenario]
        ratios = sorted(one.ratio for one in own)
        cells = (
            scenario,
            f"{statistics.median(one.rate for one in own):.1f}",
            f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
            f"{1e3 * statistics.median(one.cpu for one in own):.0f}"
            f" ({statistics.median(one.limit_cpu / one.cpu for one in own):.2f})",
            _milliseconds([one.p50 for one in own]),
            _milliseconds([one.p95 for one in own]),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def save(rounds: Sequence[Round], path: Path) -> None:
    """Writes every round as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(one) for one in rounds], indent=2) + "\n")


def _milliseconds(seconds: Sequence[float]) -> str:
    middle = statistics.median(seconds)
    return f"{1e3 * middle:.0f}" if middle else "-"
