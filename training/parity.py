"""Do the runtimes agree? Each default package against its own weights in the trainer's library.

    python -m training.parity objects        # or attributes, captions; several, or none for all

The ONNX file's weights are put back into a network of the library that trained it. Both predict the
same photos, both are evaluated on test, and the card of the newest package gets the figures. Fails
if they are further apart than is promised: scores within 1e-3, matched boxes overlapping by 0.99,
98 % of captions (99 % of boxes and faces) given by both, and every figure within half a point.
"""

from __future__ import annotations

import itertools
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
from tqdm import tqdm

from chassis.images import ImageLimits, Pixels, decode
from services.captioner.model import load as load_captioner
from services.classifier.model import load as load_classifier
from services.detector.model import FLOOR
from services.detector.model import load as load_detector
from services.manifest import FILE
from services.model import Model
from services.packages import Package, open_package
from training import agreement
from training.agreement import Agreement
from training.comparison import Compared, compare, tested_task
from training.options import data_option
from training.tables import table

MOST_SCORE: Final = 1e-3
LEAST_OVERLAP: Final = 0.99
MOST_POINTS: Final = 0.5  # hundredths, of a figure
MODELS: Final = Path("models")
HEADING: Final = "## Agreement of runtimes"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one package is compared."""

    photos: tuple[str, ...]  # archives below the data folder, in this order
    load: Callable[[Package], Model[Any]]
    twin: Callable[[Package, Path], Package]  # the same weights in the trainer's library
    compare: Callable[[Sequence[tuple[Any, Any]]], Agreement]
    least_same: float


def _twin_of_objects(package: Package, folder: Path) -> Package:
    from training.yolo import hosted  # one library at a time: torch and TensorFlow are large

    return hosted(package, folder)


def _twin_of_keras(package: Package, folder: Path) -> Package:
    from training.native import hosted

    return hosted(package, folder)


COMPARISONS: Final = {
    "objects": Comparison(
        photos=tuple(f"detection/{split}-000.zip" for split in ("val", "test", "train")),
        load=load_detector,
        twin=_twin_of_objects,
        compare=lambda pairs: agreement.of_detections(pairs, margin=FLOOR + MOST_SCORE),
        least_same=0.99,
    ),
    "attributes": Comparison(
        photos=("captions/test-000.zip",),
        load=load_classifier,
        twin=_twin_of_keras,
        compare=agreement.of_attributes,
        least_same=0.99,
    ),
    "captions": Comparison(
        photos=("captions/test-000.zip",),
        load=load_captioner,
        twin=_twin_of_keras,
        compare=agreement.of_captions,
        least_same=0.98,
    ),
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(COMPARISONS)))
@click.option("--photos", "count", default=200, show_default=True, help="Photos for each model.")
@data_option("faces/, detection/ and captions/")
def main(names: tuple[str, ...], count: int, data: Path) -> None:
    """Compares the default packages' runtimes and writes the figures into their cards."""
    failed = [name for name in names or COMPARISONS if not _agrees(name, count, data)]
    if failed:
        raise click.ClickException(f"the runtimes differ too much for {', '.join(failed)}")


def _agrees(name: str, count: int, data: Path) -> bool:
    comparison = COMPARISONS[name]
    package = open_package(newest(MODELS / name))
    with tempfile.TemporaryDirectory() as scratch:
        twin = comparison.twin(package, Path(scratch) / "twin")
        found = _agreement(comparison, (package, twin), count, data)
        task = tested_task(package.manifest.task)
        figures = compare(twin, package, task.examples(data, "test"), samples=1).figures
    runtimes = package.manifest.runtime, twin.manifest.runtime
    tables = f"{_table(*runtimes, found)}\n{_figures(*runtimes, figures)}\n"
    click.echo(f"{package.path}\n{tables}")
    _write(package.path / "card.md", tables, name)
    return (
        found.score <= MOST_SCORE
        and found.overlap >= LEAST_OVERLAP
        and found.same >= comparison.least_same
        and all(abs(one.new - one.old) <= MOST_POINTS / 100 for one in figures)
    )


def newest(folder: Path) -> Path:
    """The package of the highest version in a model's folder."""
    return max(
        (path.parent for path in folder.glob(f"*/{FILE}")),
        key=lambda path: tuple(int(part) for part in path.name.partition("-")[0].split(".")),
    )


def _agreement(
    comparison: Comparison, packages: tuple[Package, Package], count: int, data: Path
) -> Agreement:
    one, other = (comparison.load(package) for package in packages)
    photos = itertools.islice(_photos(data, comparison.photos, one.max_side), count)
    name = packages[0].manifest.name
    pairs = [
        (one.predict([pixels])[0], other.predict([pixels])[0])
        for pixels in tqdm(photos, total=count, desc=name, unit="photo", disable=None)
    ]
    for model in (one, other):
        model.close()
    return comparison.compare(pairs)


def _photos(data: Path, archives: Sequence[str], max_side: int) -> Iterator[Pixels]:
    for path in archives:
        with zipfile.ZipFile(data / path) as archive:
            for name in sorted(name for name in archive.namelist() if name.endswith(".jpg")):
                yield decode(archive.read(name), max_side, ImageLimits()).pixels


def _table(runtime: str, other: str, found: Agreement) -> str:
    return (
        f"| {runtime} against {other} | |\n|---|---|\n"
        f"| photos | {found.photos} |\n"
        f"| answers that both give | {found.compared} of {found.compared + found.alone} |\n"
        f"| largest difference of scores | {found.score:.1e} |\n"
        f"| least overlap of matched boxes | {found.overlap:.5f} |\n"
    )


def _figures(runtime: str, other: str, figures: Sequence[Compared]) -> str:
    return table(
        ("on test", other, runtime, "difference, points"),
        (
            (
                one.figure.name,
                f"{one.old:.4f}",
                f"{one.new:.4f}",
                f"{100 * (one.new - one.old):+.2f}",
            )
            for one in figures
        ),
    )


def _write(card: Path, table: str, name: str) -> None:
    """Puts the table at the end of a card, in place of the one that was there."""
    text = card.read_text().partition(HEADING)[0].rstrip()
    card.write_text(
        f"{text}\n\n{HEADING}\n\nThe same weights in the library that trained them, on the same "
        f"photos:\n`python -m training.parity {name}`.\n\n{table}"
    )


if __name__ == "__main__":
    main()
