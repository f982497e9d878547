"""The default classifier's card, written from its measurements."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.manifest import Manifest
from training.faces_measure import EndToEnd, OnPhotos
from training.faces_scores import Quality

TEMPLATE: Final = Path(__file__).with_name("cards") / "attributes.md"


@dataclass(frozen=True, slots=True)
class Measured:
    """All figures of one package."""

    crops: Mapping[str, Mapping[str, Quality]]  # by split and label
    end_to_end: tuple[EndToEnd, ...]  # on test
    photos: OnPhotos


def metrics(measured: Measured) -> list[Mapping[str, Any]]:
    """The figures that the manifest keeps."""
    return [
        {"name": f"{name} {label}", "value": round(value, 4), "dataset": "faces", "split": split}
        | {"count": quality.count}
        for split, by_label in measured.crops.items()
        for label, quality in by_label.items()
        for name, value in (
            ("accuracy", quality.accuracy),
            ("AUC", quality.auc),
            ("AP", quality.average_precision),
        )
    ]


def summary(measured: Measured) -> str:
    """The tables as the card has them, for the terminal."""
    photos = measured.photos
    return "\n".join(
        (
            _CROPS_HEAD,
            *_crop_rows(measured.crops),
            "",
            _END_HEAD,
            *map(_end_row, measured.end_to_end),
            "",
            f"{photos.milliseconds:.0f} ms a photo, {photos.photos} photos; "
            f"faces seen on {photos.without_people} photos without people: {photos.false_faces}",
        )
    )


def card(manifest: Manifest, measured: Measured) -> str:
    """The card: the template with the figures."""
    bands = manifest.bands()
    return TEMPLATE.read_text().format(
        version=manifest.version,
        side=manifest.preprocessing.width,
        max_side=manifest.max_side,
        min_face=manifest.parameters["min_face"],
        license=manifest.license.text,
        command=manifest.provenance.command,
        thresholds=", ".join(f"{label} {band.present:g}" for label, band in bands.items()),
        crops="\n".join((_CROPS_HEAD, *_crop_rows(measured.crops))),
        end_to_end="\n".join((_END_HEAD, *map(_end_row, measured.end_to_end))),
        photos=measured.photos.photos,
        milliseconds=f"{measured.photos.milliseconds:.0f}",
        without_people=measured.photos.without_people,
        false_faces=measured.photos.false_faces,
    )


_CROPS_HEAD: Final = (
    "| split | label | faces | positive | accuracy | AUC | AP | AP, 95 % | "
    "precision | recall | ECE |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|"
)
_END_HEAD: Final = (
    "| face, px | faces | found | "
    "smiling accuracy | smiling AUC | sunglasses AP | eyeglasses AUC |\n"
    "|---|---|---|---|---|---|---|"
)


def _crop_rows(crops: Mapping[str, Mapping[str, Quality]]) -> Iterator[str]:
    for split, by_label in crops.items():
        for label, q in by_label.items():
            low, high = q.precision_interval
            yield (
                f"| {split} | {label} | {q.count} | {q.positives} | {q.accuracy:.3f} | "
                f"{q.auc:.3f} | {q.average_precision:.3f} | {low:.3f} to {high:.3f} | "
                f"{q.precision:.2f} | {q.recall:.2f} | {q.calibration_error:.3f} |"
            )


def _end_row(one: EndToEnd) -> str:
    smiling = one.labels["smiling"]
    return (
        f"| {one.face} | {one.faces} | {one.found:.3f} | {smiling.accuracy:.3f} | "
        f"{smiling.auc:.3f} | {one.labels['sunglasses'].average_precision:.3f} | "
        f"{one.labels['eyeglasses'].auc:.3f} |"
    )
