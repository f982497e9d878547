"""Teaches a detector a team's own objects, and packages it as a version of its own.

    python -m training.objects finetune --data my-photos --val more-of-my-photos \\
        --init models/objects/1.1.0 --name my-objects --version 1.0.0

Both folders are in YOLO's form: images/, labels/ with a .txt for each photo, and classes.txt.
Checkpoints lie below `--work`, so that a run that was stopped goes on. The best epoch on `--val` is
packaged; scores are calibrated and thresholds fitted there, so judge the package on photos that
neither folder has: `python -m training.compare INIT NEW --own OTHERS`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from services.detector.model import load
from services.manifest import Task
from services.packages import InvalidPackage, Package, open_package
from services.packages.golden import complete
from services.packages.order import label_fields
from training import coco
from training.card_parts import thresholds as threshold_table
from training.comparison import check_task
from training.detection import FIGURES, Found, find
from training.objects_decisions import calibrate, guesses, thresholds
from training.objects_measure import quality
from training.objects_package import DEFAULT, EVEN, EVEN_SET
from training.options import NAME, VERSION, output_option
from training.tables import table
from training.tested_boxes import DrawnPhotos, own
from training.threshold_fit import DEFAULT_POLICY, FitPolicy

_folder = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command("finetune")
@click.option("--data", type=_folder, required=True, help="Photos to learn from.")
@click.option("--val", type=_folder, required=True, help="Photos to choose the best epoch on.")
@click.option("--init", type=_folder, required=True, help="The package to begin with.")
@click.option("--architecture", default="yolov8n.yaml", show_default=True, help="Of --init.")
@click.option("--name", type=NAME, required=True, help="Of the new package.")
@click.option(
    "--version", type=VERSION, default="1.0.0", show_default=True, help="Of the new package."
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Times that every photo is seen.",
)
@click.option("--rate", default=2e-4, show_default=True, help="Learning rate at the beginning.")
@click.option("--batch", default=8, show_default=True, help="Photos in a step.")
@click.option(
    "--work",
    type=click.Path(path_type=Path),
    default=Path("build/objects"),
    show_default=True,
    help="Folder of checkpoints.",
)
@output_option
def finetune(
    *,
    data: Path,
    val: Path,
    init: Path,
    architecture: str,
    name: str,
    version: str,
    epochs: int,
    rate: float,
    batch: int,
    work: Path,
    output: Path,
) -> None:
    """Fine-tunes a detector on photos with boxes drawn, and writes its package."""
    from training.yolo_training import Plan, train  # here: it needs torch and Ultralytics

    folder = output / name / version
    if folder.exists():
        raise click.ClickException(f"{folder} exists; a version never changes, so take the next")
    try:
        before, names = open_package(init), coco.labels(data)
        check_task(before, Task.DETECTION)
        learned, held = own(data, None, before), own(val, None, before)
        _check(learned, held)
        plan = Plan(architecture, names, epochs, rate, batch, work / name / version)
        best = train(before, learned.photos, held.photos, plan, click.echo)
        made = _package(folder, before, _fields(before, name, version, names, learned), best, held)
    except (InvalidPackage, OSError, ValueError) as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo(f"wrote {made.path}; compare it on photos that neither folder has:")
    click.echo(f"  python -m training.compare {init} {made.path} --own FOLDER")


def _check(learned: DrawnPhotos, held: DrawnPhotos) -> None:
    """Scores are surer of photos that were learnt than of others, so none of them may be held."""
    if learned.label_ids != held.label_ids:
        raise ValueError("--data and --val differ in their classes.txt")
    known = {photo.content for photo in learned.photos}
    if both := [photo.name for photo in held.photos if photo.content in known]:
        raise ValueError(
            f"{len(both)} photos of --val are in --data, too, such as {both[0]}: what is learnt of "
            "cannot tell how sure the network may be"
        )


def _package(
    folder: Path,
    before: Package,
    fields: Mapping[str, Any],
    network: Path,
    held: DrawnPhotos,
) -> Package:
    folder.mkdir(parents=True)
    try:
        shutil.copyfile(network, folder / "detector.onnx")
        photos = [before.path / case.photo for case in before.manifest.golden.cases]
        found = _found(complete(folder, fields, photos, load), held)
        made = complete(folder, {**fields, **_meaning(found, held)}, photos, load)
        (folder / "card.md").write_text(_card(made, found, held))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return made


def _fields(
    before: Package, name: str, version: str, names: tuple[str, ...], learned: DrawnPhotos
) -> dict[str, Any]:
    fields = before.manifest.model_dump(mode="json", by_alias=True)
    own_terms = " The photos that it was fine-tuned on have terms of their own."
    return fields | {
        "name": name,
        "version": version,
        "feature": name,
        "summary": f"Finds {len(names)} kinds of objects; fine-tuned from {before.manifest.name} "
        f"{before.manifest.version}.",
        "runtime": "onnxruntime",
        "artifacts": {"detector": {"path": "detector.onnx"}},
        "labels": label_fields(names),
        "calibration": {},
        "threshold_sets": {EVEN: EVEN_SET},
        "default_threshold_set": EVEN,
        "metrics": [],
        "limits": [],
        "license": fields["license"] | {"text": fields["license"]["text"] + own_terms},
        "provenance": {
            "sources": [
                *fields["provenance"]["sources"],
                f"fine-tuned on {len(learned.photos)} photos of {learned.dataset}",
            ],
            "command": "python -m training.objects finetune",
        },
    }


def _found(package: Package, held: DrawnPhotos) -> Found:
    detector = load(package)
    try:
        return find(detector, held.photos)
    finally:
        detector.close()


def _meaning(found: Found, held: DrawnPhotos) -> dict[str, Any]:
    """What scores mean, fitted on the held photos; nothing where too few boxes would say it."""
    raw, policy = guesses(found), FitPolicy.read(DEFAULT_POLICY)
    if min(int(raw.right.sum()), int((~raw.right).sum())) < policy.least_positives:
        return {}
    fit = calibrate(raw)
    chosen = thresholds(raw.rescored(fit), held.label_ids, policy, held.dataset, held.split)
    return {
        "calibration": {"*": fit.model_dump()},
        "threshold_sets": {DEFAULT: chosen.model_dump(mode="json"), EVEN: EVEN_SET},
        "default_threshold_set": DEFAULT,
    }


def _card(made: Package, found: Found, held: DrawnPhotos) -> str:
    manifest = made.manifest
    row = quality(found)
    names = zip(FIGURES[:2], row.figures[:2], strict=True)
    figures = table(("figure", "value"), [(name, figure.text()) for name, figure in names])
    return (
        f"# {manifest.name} {manifest.version}\n\n{manifest.summary}\n\n"
        f"**Terms** ({manifest.license.id}). {manifest.license.text}\n\n"
        f"## Quality\n\nOn {row.photos} photos of {held.dataset}, {row.boxes} boxes, on which the "
        "best epoch was chosen and thresholds were fitted: so these figures flatter it.\n\n"
        f"{figures}\n\n{threshold_table(manifest)}\n"
    )
