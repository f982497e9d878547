"""Tables for simulations: how real answers to real photos change with each fault.

    python -m rollout.simulate.measure models/objects/1.1.0 PHOTOS... --older OBJECTS_1_0_0

Keeps counts only: how many photos differ in which aspects. `--older` is the package that served
before: what an honest new one differs in.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import click

from gateway.agreement import agreement
from gateway.tasks import Result
from rollout.compare import photos_in
from rollout.served import Served, serving
from rollout.simulate.faults import faults, swapped
from services.packages import open_package

TABLES: Final = Path(__file__).parent / "tables"
SWAPPED: Final = "swapped channels"
RETRAINED: Final = "older version"

Patterns = Mapping[str, Mapping[str, int]]


async def measure(package: Path, older: Path | None, photos: Iterable[Path]) -> Patterns:
    """Photos by what differs in them and what does not, for each fault."""
    feature = open_package(package).manifest.feature
    patterns: defaultdict[str, Counter[str]] = defaultdict(Counter)
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serving(package))
        before = await stack.enter_async_context(serving(older)) if older else None
        async for answer, others in _answers(served, before, photos):
            changed = {name: change(answer) for name, change in faults(feature).items()}
            for name, other in (others | changed).items():
                patterns[name][_pattern(agreement(answer, other))] += 1
    return {name: dict(sorted(some.items())) for name, some in sorted(patterns.items())}


async def _answers(
    served: Served, before: Served | None, photos: Iterable[Path]
) -> AsyncIterator[tuple[Result, dict[str, Result]]]:
    for path in photos:
        content = path.read_bytes()
        pixels = await served.pixels(content)
        if pixels is None:
            continue
        others = {SWAPPED: await served.answer(swapped(pixels))}
        if before is not None:
            (old,) = await before.answers((content,))
            if old is not None:
                others[RETRAINED] = old
        yield await served.answer(pixels), others


def _pattern(found: Mapping[str, bool]) -> str:
    differ = sorted(aspect for aspect, same in found.items() if not same)
    agree = sorted(aspect for aspect, same in found.items() if same)
    return f"{' '.join(differ)}|{' '.join(agree)}"


@click.command()
@click.argument("package", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--older", type=click.Path(path_type=Path, file_okay=False, exists=True))
def main(*, package: Path, photos: tuple[Path, ...], older: Path | None) -> None:
    """Measures PACKAGE on PHOTOS and writes its table."""
    manifest = open_package(package).manifest
    patterns = asyncio.run(measure(package, older, photos_in(photos)))
    path = TABLES / f"{manifest.feature}.json"
    path.parent.mkdir(exist_ok=True)
    table = {"package": f"{manifest.name} {manifest.version}", "patterns": patterns}
    path.write_text(json.dumps(table, indent=1) + "\n")
    click.echo(f"wrote {path}")


if __name__ == "__main__":
    main()
