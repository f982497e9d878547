"""The default detector: YOLOv8n with its published COCO weights, as a package.

    python -m training.objects               # exports, measures, writes models/objects/1.0.0
    python -m training.objects evaluate models/objects/1.0.0

`package` takes about a minute. Photos and weights are read from `--data` (../shared/data, or
TRILENS_DATA). `evaluate` needs neither torch nor Ultralytics.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from services.detector.model import load
from services.packages import Package, open_package
from services.packages.golden import complete
from training import coco
from training.detection import Measured, evaluate
from training.objects_card import card, summary
from training.options import data_option, output_option, version_option

SIDE: Final = 480
SIDES: Final = (320, 480, 640)
SPLITS: Final = ("val", "test", "both")
REFERENCE: Final = Path("reference-weights/yolov8n-float16.safetensors")
GOLDEN: Final = tuple(
    Path("tests/photos") / name for name in ("astronaut.jpg", "cat.jpg", "coffee.jpg")
)

_data = data_option("detection/ and reference-weights/")


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Makes and measures the default detector; without a command it makes it."""
    if context.invoked_subcommand is None:
        package_command(args=[])


@main.command("package")
@_data
@version_option
@output_option
def package_command(data: Path, version: str, output: Path) -> None:
    """Exports the reference weights, measures them at three sizes, and writes the package."""
    measured = {}
    with tempfile.TemporaryDirectory() as scratch:
        for side in SIDES:
            trial = build(Path(scratch) / str(side), data, version, side)
            measured[side] = _evaluated(trial, data)
            click.echo(summary(f"{side} px", measured[side]["both"]))
    folder = output / "objects" / version
    shutil.rmtree(folder, ignore_errors=True)
    made = build(folder, data, version, SIDE, _metrics(measured[SIDE]))
    (folder / "card.md").write_text(card(made.manifest, measured))
    size = sum(file.stat().st_size for file in folder.rglob("*.*"))
    click.echo(f"wrote {folder}, {size / 1e6:.1f} MB")


@main.command("evaluate")
@_data
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def evaluate_command(data: Path, folder: Path) -> None:
    """Measures a package with COCO's labels on the photos of val, of test, and of both."""
    for split, measured in _evaluated(open_package(folder), data).items():
        click.echo(summary(split, measured))


def build(
    folder: Path, data: Path, version: str, side: int, metrics: Sequence[Mapping[str, Any]] = ()
) -> Package:
    """Writes the package for photos of `side` pixels, all but its card."""
    from training import yolo  # here, since evaluation needs neither torch nor Ultralytics

    folder.mkdir(parents=True)
    labels = coco.labels(data / "detection")
    network = yolo.from_reference(data / REFERENCE, labels)
    yolo.to_onnx(network, side, folder / "detector.onnx", labels)
    fields = _fields(labels, version, side)
    return complete(folder, {**fields, "metrics": list(metrics)}, GOLDEN, load)


def _evaluated(package: Package, data: Path) -> dict[str, Measured]:
    detector = load(package)
    try:
        return {split: evaluate(detector, data / "detection", split) for split in SPLITS}
    finally:
        detector.close()


def _metrics(measured: Mapping[str, Measured]) -> list[dict[str, Any]]:
    return [
        {"name": name, "value": round(value, 4), "dataset": "COCO 2017 subset", "split": split}
        | {"count": measured[split].quality.photos}
        for split in ("val", "test")
        for name, value in (
            ("AP50", measured[split].quality.ap50),
            ("AP", measured[split].quality.ap),
            ("person AP50", measured[split].quality.ap50_by_label[0]),
        )
    ]


def _fields(labels: tuple[str, ...], version: str, side: int) -> dict[str, Any]:
    return {
        "schema": 1,
        "name": "objects",
        "version": version,
        "task": "detection",
        "feature": "objects",
        "summary": "Finds and names everyday objects, the 80 kinds of COCO, with YOLOv8n.",
        "runtime": "onnxruntime",
        "artifacts": {"detector": {"path": "detector.onnx"}},
        "preprocessing": {
            "width": side,
            "height": side,
            "resize": "letterbox",
            "layout": "NCHW",
            "mean": [0, 0, 0],
            "std": [255, 255, 255],
        },
        "max_side": side,
        "batch_sizes": [1, 2, 4],
        "labels": [{"id": name.replace(" ", "_"), "name": name.capitalize()} for name in labels],
        "threshold_sets": {"by-hand-v1": {"labels": {"*": {"present": 0.3, "absent": 0.3}}}},
        "default_threshold_set": "by-hand-v1",
        "parameters": {"floor": 0.01, "overlap": 0.6, "limit": 300},
        "license": {
            "id": "AGPL-3.0-only",
            "text": "Weights by Ultralytics under AGPL-3.0: who offers them over a network must "
            "offer the corresponding source to its users. Other terms: Ultralytics' licence for "
            "enterprises. Trained on COCO 2017, whose photos have their authors' Flickr licences.",
            "commercial_use": False,  # not in a closed product without a further agreement
        },
        "provenance": {
            "sources": [
                "Ultralytics YOLOv8n, trained on COCO 2017 train; 16-bit weights, batch norms "
                "folded, nothing trained further"
            ],
            "command": "python -m training.objects",
        },
    }


if __name__ == "__main__":
    main()
