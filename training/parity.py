"""Do the runtimes agree? Each default package against its own weights in the trainer's library.

    python -m training.parity objects        # or attributes, captions; several, or none for all

The ONNX file's weights are put back into a network of the library that trained it. Both predict the
same photos, and the package's card gets the figures. Fails if they are further apart than is
promised: scores within 1e-3, matched boxes overlapping by 0.99, and 98 % of captions (99 % of
boxes and faces) given by both.
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
from services.model import Model
from services.packages import Package, open_package
from training import agreement
from training.agreement import Agreement
from training.options import data_option

MOST_SCORE: Final = 1e-3
LEAST_OVERLAP: Final = 0.99
HEADING: Final = "## Agreement of runtimes"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one package is compared."""

    package: Path
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
        package=Path("models/objects/1.0.0"),
        photos=tuple(f"detection/{split}-000.zip" for split in ("val", "test", "train")),
        load=load_detector,
        twin=_twin_of_objects,
        compare=lambda pairs: agreement.of_detections(pairs, margin=FLOOR + MOST_SCORE),
        least_same=0.99,
    ),
    "attributes": Comparison(
        package=Path("models/attributes/1.0.0"),
        photos=("captions/test-000.zip",),
        load=load_classifier,
        twin=_twin_of_keras,
        compare=agreement.of_attributes,
        least_same=0.99,
    ),
    "captions": Comparison(
        package=Path("models/captions/1.0.0"),
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
@data_option("detection/ and captions/")
def main(names: tuple[str, ...], count: int, data: Path) -> None:
    """Compares the default packages' runtimes and writes the figures into their cards."""
    failed = [name for name in names or COMPARISONS if not _agrees(COMPARISONS[name], count, data)]
    if failed:
        raise click.ClickException(f"the runtimes differ too much for {', '.join(failed)}")


def _agrees(comparison: Comparison, count: int, data: Path) -> bool:
    package = open_package(comparison.package)
    with tempfile.TemporaryDirectory() as scratch:
        twin = comparison.twin(package, Path(scratch) / "twin")
        models = comparison.load(package), comparison.load(twin)
        photos = itertools.islice(_photos(data, comparison.photos, models[0].max_side), count)
        pairs = [
            (models[0].predict([pixels])[0], models[1].predict([pixels])[0])
            for pixels in tqdm(
                photos, total=count, desc=package.manifest.name, unit="photo", disable=None
            )
        ]
        for model in models:
            model.close()
    found = comparison.compare(pairs)
    table = _table(package.manifest.runtime, twin.manifest.runtime, found)
    click.echo(f"{package.path}\n{table}")
    _write(package.path / "card.md", table, package.manifest.name)
    return (
        found.score <= MOST_SCORE
        and found.overlap >= LEAST_OVERLAP
        and found.same >= comparison.least_same
    )


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


def _write(card: Path, table: str, name: str) -> None:
    """Puts the table at the end of a card, in place of the one that was there."""
    text = card.read_text().partition(HEADING)[0].rstrip()
    card.write_text(
        f"{text}\n\n{HEADING}\n\nThe same weights in the library that trained them, on the same "
        f"photos:\n`python -m training.parity {name}`.\n\n{table}"
    )


if __name__ == "__main__":
    main()
