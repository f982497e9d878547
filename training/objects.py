"""The default detector: YOLOv8n with its published COCO weights, as a package.

    python -m training.objects               # exports, measures, writes models/objects/1.1.0
    python -m training.objects evaluate models/objects/1.1.0
    python -m training.objects finetune --help

`package` takes about ten minutes. Photos and weights are read from `--data` (../shared/data, or
TRILENS_DATA). `evaluate` needs neither torch nor Ultralytics.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from services.detector.model import load
from services.packages import InvalidPackage, Package, open_package
from training import coco
from training.card_parts import metric
from training.comparison import check_labels
from training.detection import FIGURES
from training.objects_card import card, draw, summary
from training.objects_finetune import finetune
from training.objects_measure import (
    DATASET,
    Measured,
    Row,
    by_split,
    measure,
    quality,
)
from training.objects_package import DEFAULT, EVEN, EVEN_SET, build
from training.objects_shapes import COMPARED, SERVED, against, found, tried
from training.options import VERSION, data_option, output_option
from training.replaced import replaced
from training.tested_boxes import ids_of

_data = data_option("detection/ and reference-weights/")


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Makes and measures the default detector; without a command it makes it."""
    if context.invoked_subcommand is None:
        package_command(args=[])


main.add_command(finetune)


@main.command("package")
@_data
@click.option("--version", type=VERSION, default="1.1.0", show_default=True, help="Of the package.")
@output_option
def package_command(data: Path, version: str, output: Path) -> None:
    """Exports the reference weights, measures them, and writes the package."""
    with tempfile.TemporaryDirectory() as scratch:
        trial = build(Path(scratch) / "trial", data, version)
        measured = _measured(trial, data)
        shapes = tuple(tried(trial, data))
        by_shape = {(one.side, one.square): one.found for one in shapes}
        changes = {
            name: against(by_shape[shape], by_shape[SERVED]) for name, shape in COMPARED.items()
        }
        twin = found(_twin(trial, Path(scratch) / "twin"), data)
    folder = output / "objects" / version
    with replaced(folder) as place:
        made = build(place, data, version, more=_more(measured))
        draw(place, measured, shapes)
        runtimes = {"onnxruntime, as served": by_shape[SERVED], "torch, Ultralytics": twin}
        minutes = time.process_time() / 60
        text = card(made.manifest, measured, shapes, changes, runtimes, minutes)
        (place / "card.md").write_text(text)
    click.echo(summary(measured.rows))
    size = sum(file.stat().st_size for file in folder.rglob("*.*"))
    click.echo(f"wrote {folder}, {size / 1e6:.1f} MB")


@main.command("evaluate")
@_data
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def evaluate_command(data: Path, folder: Path) -> None:
    """Measures a package with COCO's labels on the photos of val, of test, and of both."""
    try:
        package = open_package(folder)
        check_labels(package, ids_of(coco.labels(data / "detection")), "COCO")
    except (InvalidPackage, OSError, ValueError) as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo(summary(_rows(package, data)))


def _rows(package: Package, data: Path) -> Mapping[str, Row]:
    detector = load(package)
    try:
        splits = by_split(detector, data / "detection")
    finally:
        detector.close()
    return {split: quality(one) for split, one in splits.items()}


def _measured(package: Package, data: Path) -> Measured:
    detector = load(package)
    try:
        return measure(detector, data / "detection")
    finally:
        detector.close()


def _twin(package: Package, folder: Path) -> Package:
    """The package in the library that trained it."""
    from training.yolo import hosted  # here, since evaluation needs neither torch nor Ultralytics

    return hosted(package, folder)


def _more(measured: Measured) -> dict[str, Any]:
    """The manifest's fields that only measurements can tell."""
    fitted = measured.fitted
    metrics = [
        metric(name, figure, DATASET, split, row.photos)
        for split, row in measured.rows.items()
        for name, figure in zip(FIGURES, row.figures, strict=True)
    ]
    metrics += [
        metric("ECE", meaning.error, DATASET, split, measured.rows[split].photos)
        for split, meaning in measured.meaning.items()
    ]
    return {
        "calibration": {"*": fitted.calibration.model_dump()},
        "threshold_sets": {DEFAULT: fitted.chosen.model_dump(mode="json"), EVEN: EVEN_SET},
        "default_threshold_set": DEFAULT,
        "metrics": metrics,
    }


if __name__ == "__main__":
    main()
