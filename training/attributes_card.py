"""The default classifier's card, written from its measurements."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from services.manifest import Manifest
from training.attributes_measure import Measured
from training.attributes_runs import ablation_rows, training_rows
from training.attributes_tables import (
    condition_rows,
    crop_rows,
    decision_rows,
    end_rows,
    gap_text,
    mirrored_rows,
    moved_rows,
    review_text,
    runtime_rows,
    slice_rows,
    source_rows,
    way_rows,
)
from training.calibration import reliability
from training.card_parts import metric, thresholds
from training.faces_recipe import DEFAULT, FOLDS
from training.faces_scores import LEAST_PRECISION, Quality
from training.ranking import Ranking

DATASET: Final = "faces"
TEMPLATE: Final = Path(__file__).with_name("cards") / "attributes.md"


def metrics(measured: Measured) -> list[dict[str, Any]]:
    """The figures that the manifest keeps."""
    found = [
        metric(f"{name} {label}", figure, DATASET, split, quality.count)
        for split, by_label in measured.crops.items()
        for label, quality in by_label.items()
        for name, figure in (
            ("accuracy", quality.accuracy),
            ("AUC", quality.auc),
            ("AP", quality.average_precision),
            ("ECE", quality.calibration_error),
        )
    ]
    found += [
        metric(f"{name} smiling, as labelled", figure, DATASET, split, quality.count)
        for split, quality in measured.labelled.items()
        for name, figure in (("accuracy", quality.accuracy), ("AUC", quality.auc))
    ]
    return found


def summary(measured: Measured) -> str:
    """The tables as the card has them, for the terminal."""
    photos = measured.photos
    return "\n\n".join(
        (
            crop_rows(measured),
            review_text(measured),
            decision_rows(measured.crops["test"]),
            mirrored_rows(measured),
            way_rows(measured.ways),
            moved_rows(measured.moved),
            source_rows(measured.by_source),
            condition_rows(measured.conditions),
            slice_rows(measured.slices),
            gap_text(measured.slices),
            end_rows(measured.end_to_end),
            f"{photos.milliseconds:.0f} ms a photo, {photos.photos} photos; "
            f"faces seen on {photos.without_people} photos without people: {photos.false_faces}",
        )
    )


def draw(folder: Path, measured: Measured) -> None:
    """Draws the card's plots, of test, below the package's folder."""
    from training import plots  # here, since evaluation needs no Matplotlib

    test = measured.crops["test"]
    scored = {label: quality.scored for label, quality in test.items()}
    place = folder / "card"
    plots.reliability(
        place / "reliability.svg",
        {label: reliability(one.scores, one.truth) for label, one in scored.items()},
    )
    plots.precision_recall(
        place / "precision-recall.svg",
        {label: Ranking(one.scores, one.truth) for label, one in scored.items()},
    )
    plots.precision_coverage(place / "precision-coverage.svg", scored, LEAST_PRECISION)


def card(manifest: Manifest, measured: Measured, before: Mapping[str, Quality], work: Path) -> str:
    """The card: the template with the figures; `before` are those before the export, on test."""
    return TEMPLATE.read_text().format(
        version=manifest.version,
        side=manifest.preprocessing.width,
        epochs=DEFAULT.all_epochs,
        batch=DEFAULT.batch,
        rate=DEFAULT.peak_rate,
        again=f", and once more to half of that in the last {DEFAULT.again} epochs"
        if DEFAULT.again
        else "",
        fold_side=FOLDS[0].side,
        fold_epochs=FOLDS[0].epochs,
        max_side=manifest.max_side,
        min_face=manifest.parameters["min_face"],
        license=manifest.license.text,
        command=manifest.provenance.command,
        crops=crop_rows(measured),
        reviewed=review_text(measured),
        decisions=decision_rows(measured.crops["test"]),
        thresholds=thresholds(manifest),
        sources=source_rows(measured.by_source),
        conditions=condition_rows(measured.conditions),
        slices=slice_rows(measured.slices),
        gap=gap_text(measured.slices),
        end_to_end=end_rows(measured.end_to_end),
        mirrored=mirrored_rows(measured),
        ways=way_rows(measured.ways),
        moved=moved_rows(measured.moved),
        runtimes=runtime_rows(before, measured.crops["test"]),
        ablation=ablation_rows(work),
        training=training_rows(work),
        photos=measured.photos.photos,
        milliseconds=f"{measured.photos.milliseconds:.0f}",
        without_people=measured.photos.without_people,
        false_faces=measured.photos.false_faces,
    )
