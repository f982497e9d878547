"""The default detector's card, written from its measurements."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from services.manifest import Manifest
from training.detection import Measured

TEMPLATE: Final = Path(__file__).with_name("cards") / "objects.md"

# Shown by name in the card: those with enough true boxes for a figure to mean something.
FEWEST_BOXES: Final = 10


def summary(name: str, measured: Measured) -> str:
    """One line for the terminal."""
    quality = measured.quality
    return (
        f"{name:>6}: {quality.photos} photos, AP50 {quality.ap50:.3f}, AP {quality.ap:.3f}, "
        f"person AP50 {quality.ap50_by_label[0]:.3f}, {measured.milliseconds:.0f} ms a photo"
    )


def card(manifest: Manifest, measured: Mapping[int, Mapping[str, Measured]]) -> str:
    """The card: the template with the figures by input side and split."""
    side = manifest.preprocessing.width
    chosen = measured[side]
    names = [label.name for label in manifest.labels]
    both = chosen["both"].quality
    return TEMPLATE.read_text().format(
        version=manifest.version,
        side=side,
        license=manifest.license.text,
        command=manifest.provenance.command,
        quality="\n".join(_row(split, chosen[split]) for split in chosen),
        sides="\n".join(_row(f"{size} px", by["both"]) for size, by in measured.items()),
        thresholds="\n".join(
            f"| {row.threshold:.2f} | {row.precision:.2f} | {row.recall:.2f} |"
            for row in chosen["both"].at_thresholds
        ),
        by_label=", ".join(
            f"{names[label].lower()} {value:.2f}"
            for label, value in both.ap50_by_label.items()
            if both.boxes_by_label[label] >= FEWEST_BOXES
        ),
        labels=both.labels,
        fewest=FEWEST_BOXES,
    )


def _row(name: str, measured: Measured) -> str:
    quality = measured.quality
    return (
        f"| {name} | {quality.photos} | {sum(quality.boxes_by_label.values())} | "
        f"{quality.ap50:.3f} | {quality.ap:.3f} | {quality.ap50_by_label[0]:.3f} | "
        f"{measured.milliseconds:.0f} |"
    )
