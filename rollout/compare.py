"""How often do two packages disagree? What a canary is expected to, counted before it starts.

    python -m rollout compare models/objects/1.0.0 models/objects/1.1.0 my-photos

Both answer the same photos as they are served, by their default thresholds; their answers are
compared as the gateways compare them. The file it writes is what `python -m rollout start` judges
the canary by. Take photos as callers send them, at least some hundred: of what is not in them
nothing can be expected. `python -m training.compare` says which of the two is better.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import click

from gateway.agreement import agreement
from rollout.judge.expected import DOUBT, Comparison, bounded, is_label
from rollout.judge.observation import Count
from rollout.served import serving
from services.manifest import Manifest
from services.packages import InvalidPackage, open_package

_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
_PART: Final = 64  # photos that are held at once


def photos_in(paths: Iterable[Path]) -> Iterator[Path]:
    """Photos by name: of folders, of text files that name one a line, and files themselves."""
    for path in paths:
        if path.is_dir():
            yield from sorted(
                one for one in path.rglob("*") if one.suffix.lower() in _SUFFIXES and one.is_file()
            )
        elif path.suffix.lower() == ".txt":
            named = (line.strip() for line in path.read_text().splitlines())
            yield from (path.parent / name for name in named if name)
        else:
            yield path


async def compare(
    stable: Path, canary: Path, photos: Iterable[Path], repeats: float = 1.0
) -> Comparison:
    """Asks both packages; raises InvalidPackage, OSError, and ValueError for what cannot be."""
    before, after = (open_package(one).manifest for one in (stable, canary))
    check_fit(before, after)
    found: list[Mapping[str, bool]] = []
    async with serving(stable) as old, serving(canary) as new:
        for part in _parts(photos):
            contents = [path.read_bytes() for path in part]
            pairs = zip(await old.answers(contents), await new.answers(contents), strict=True)
            found += [agreement(one, two) for one, two in pairs if one and two]
    if not found:
        raise ValueError("no photo was answered by both")
    return Comparison(
        schema=1,
        feature=after.feature,
        stable=before.version,
        canary=after.version,
        photos=len(found),
        doubt=DOUBT,
        repeats=repeats,
        aspects=bounded(counted(found), repeats),
    )


def counted(found: Iterable[Mapping[str, bool]]) -> dict[str, Count]:
    """Photos by aspect, and those of them that differ."""
    photos: Counter[str] = Counter()
    different: Counter[str] = Counter()
    for one in found:
        photos.update(one.keys())
        different.update(aspect for aspect, same in one.items() if not same)
    return {aspect: Count(photos[aspect], different[aspect]) for aspect in photos}


def check_fit(before: Manifest, after: Manifest) -> None:
    """Raises ValueError for packages of which one cannot replace the other."""
    if (before.feature, before.task) != (after.feature, after.task):
        raise ValueError(
            f"{before.name} answers {before.feature} ({before.task}), "
            f"{after.name} {after.feature} ({after.task})"
        )


def _parts(photos: Iterable[Path]) -> Iterator[list[Path]]:
    part: list[Path] = []
    for photo in photos:
        part.append(photo)
        if len(part) == _PART:
            yield part
            part = []
    if part:
        yield part


@click.command("compare")
@click.argument("stable", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.argument("canary", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("comparison.json"),
    show_default=True,
    help="Where to write it.",
)
@click.option(
    "--repeats",
    type=click.FloatRange(min=1),
    default=1.0,
    show_default=True,
    help="Photos that may be near copies of one another, such as frames of one clip.",
)
def command(
    *, stable: Path, canary: Path, photos: tuple[Path, ...], out: Path, repeats: float
) -> None:
    """Compares package CANARY with package STABLE on PHOTOS: files, folders, lists (.txt)."""
    try:
        found = asyncio.run(compare(stable, canary, photos_in(photos), repeats))
    except (InvalidPackage, OSError, ValueError) as problem:
        raise click.ClickException(str(problem)) from problem
    out.write_text(found.model_dump_json(by_alias=True, indent=2) + "\n")
    click.echo("\n".join(lines(found)))
    click.echo(f"wrote {out}")


def lines(found: Comparison) -> Iterator[str]:
    """The comparison as a table, the most frequent differences first."""
    yield f"{found.feature}: {found.stable} and {found.canary} on {found.photos} photos"
    yield f"  {'aspect':24} {'photos':>7} {'differ':>7} {'share':>7} {'at most':>8}"
    by_share = sorted(
        found.aspects.items(), key=lambda one: (is_label(one[0]), -one[1].photos, one[0])
    )
    for name, one in by_share:
        share = one.different / max(1, one.photos)
        yield f"  {name:24} {one.photos:7} {one.different:7} {share:7.1%} {one.at_most:8.1%}"


if __name__ == "__main__":
    command()
