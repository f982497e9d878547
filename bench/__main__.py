"""`make bench`: images per second and CPU per image, as ratios to what the machine can do at most.

Everything runs in one go and interleaved, since machines differ from minute to minute: each round
measures the limit and every scenario one after the other, and a ratio compares within its round.
Every answer is checked against what bench/plain.py says of the same photo.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.checks import checker
from bench.limit import Limit, Shape, answers, limit
from bench.load import Check, load
from bench.photos import FREE_PHOTOS, ROOT, BenchPhoto, enlarged, photos_in
from bench.report import Round, compared, in_best_shape, save, table
from bench.servers import Servers, four_processes, one_process
from chassis.settings import cores

_WARM_SECONDS: Final = 2.0
_CALLERS: Final = (1, 4, 16)
_CALLERS_LARGE: Final = (4,)
_LARGE_PHOTOS: Final = 3


def main() -> int:
    """Measures, prints the table; 1 if an answer was wrong."""
    options = _options()
    photos = photos_in(options.photos)
    large = enlarged(photos[:_LARGE_PHOTOS])
    with ExitStack() as stack:
        bench = Bench(
            limits=[stack.enter_context(limit(shape, options.packages)) for shape in _grid()],
            alone=[stack.enter_context(limit(shape, options.packages)) for shape in _grid_alone()],
            systems={
                "one process": stack.enter_context(one_process(cores())),
                "four processes": stack.enter_context(four_processes(cores())),
            },
            check=checker(answers((*photos, *large), options.packages)),
            seconds=options.seconds,
        )
        bench.warm(photos)
        rounds: list[Round] = []
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            rounds += bench.round(number, "", photos, _CALLERS)
            rounds += bench.round(number, ", 12 MP photos", large, _CALLERS_LARGE)
    found = compared(in_best_shape(rounds))
    print(table(found))
    save(found, ROOT / "bench" / "results" / f"{time.strftime('%Y%m%d-%H%M%S')}.json")
    print(f"\n{bench.answered} answers checked, {len(bench.wrong)} wrong")
    print(*bench.wrong[:5], sep="\n")
    return 1 if bench.wrong else 0


@dataclass
class Bench:
    """What is measured, and what was wrong so far."""

    limits: Sequence[Limit]
    alone: Sequence[Limit]  # with one photo at a time: what a single caller can see at most
    systems: Mapping[str, Servers]
    check: Check
    seconds: float  # of one measurement
    answered: int = 0
    wrong: list[str] = field(default_factory=list)

    def warm(self, photos: Sequence[BenchPhoto]) -> None:
        """Waits until every system answers all photos."""
        for servers in self.systems.values():
            seen = None
            while seen is None or seen.wrong:
                seen = asyncio.run(load(servers.target, photos, 2, _WARM_SECONDS, self.check))
                if seen.images and seen.wrong:
                    raise RuntimeError(f"wrong from the start: {seen.wrong[0]}")

    def round(
        self, number: int, kind: str, photos: Sequence[BenchPhoto], callers: Sequence[int]
    ) -> Iterator[Round]:
        """Measures the limit in each of its shapes, then every scenario."""
        mark = f"limit{kind}"
        for one in self.limits:
            yield self._limit(number, mark, mark, photos, one)
        for one in self.alone:
            yield self._limit(number, mark, f"{mark}, one photo at a time", photos, one)
        for count in callers:
            for name, servers in self.systems.items():
                scenario = f"{name}{kind}, {count} callers"
                yield self._system(number, mark, scenario, servers, photos, count)

    def _limit(
        self, number: int, mark: str, scenario: str, photos: Sequence[BenchPhoto], one: Limit
    ) -> Round:
        images, took, cpu = one.run(photos, self.seconds)
        return Round(number, mark, scenario, str(one.shape), images, took, cpu)

    def _system(
        self,
        number: int,
        mark: str,
        scenario: str,
        servers: Servers,
        photos: Sequence[BenchPhoto],
        callers: int,
    ) -> Round:
        cpu = servers.cpu_seconds()
        seen = asyncio.run(load(servers.target, photos, callers, self.seconds, self.check))
        self.answered += seen.images
        self.wrong += seen.wrong
        if not seen.images:
            raise RuntimeError(f"{scenario}: no answer: {seen.wrong[:1]}")
        used = servers.cpu_seconds() - cpu
        p50, p95 = seen.latency(0.5), seen.latency(0.95)
        return Round(number, mark, scenario, "", seen.images, seen.seconds, used, p50, p95)


def _grid() -> tuple[Shape, ...]:
    """Ways to use the cores: which is best differs from machine to machine."""
    count = cores()
    return (Shape(count, 1, 1), Shape(1, count, 1), Shape(1, 1, count))


def _grid_alone() -> tuple[Shape, ...]:
    """Ways to use the cores for one photo."""
    return (Shape(1, 1, cores()), Shape(1, 1, 1, spread=cores()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--photos", type=Path, default=FREE_PHOTOS, help="a folder of photos")
    parser.add_argument("--packages", type=Path, default=ROOT / "models")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
