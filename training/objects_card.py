"""The default detector's card, written from its measurements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from services.manifest import Manifest
from services.thresholds import Band
from training.bootstrap import Difference
from training.calibration import reliability
from training.card_parts import cost, limits, plot, plot_file, thresholds
from training.detection import FIGURES, Found, figures
from training.objects_conditions import Condition
from training.objects_decisions import LIKELY, Guesses
from training.objects_measure import Given, Meaning, Measured, Row
from training.objects_parts import Part, Size, largest_gap
from training.objects_shapes import Tried
from training.precision import Scored
from training.tables import table

TEMPLATE: Final = Path(__file__).with_name("cards") / "objects.md"
TARGET: Final = 0.9
_MOST_ERROR: Final = 0.03  # wanted of calibration

# Shown by name in the card: those with enough true boxes for a figure to mean something.
FEWEST_BOXES: Final = 10


def summary(rows: Mapping[str, Row]) -> str:
    """The figures by split, as the card has them, for the terminal."""
    return table(
        ("split", "photos", "boxes", *FIGURES, "ms"),
        (
            (
                split,
                str(row.photos),
                str(row.boxes),
                *(figure.text() for figure in row.figures),
                f"{row.milliseconds:.0f}",
            )
            for split, row in rows.items()
        ),
    )


def draw(folder: Path, measured: Measured, shapes: Sequence[Tried]) -> None:
    """Draws the card's plots below the package's folder."""
    from training import plots  # here, since evaluation needs no Matplotlib

    held = measured.held
    plots.reliability(
        plot_file(folder, "reliability"), {"all labels": reliability(held.scores, held.right)}
    )
    plots.precision_coverage(plot_file(folder, "precision-coverage"), _scored(held), TARGET)
    by_side = {
        name: ([one.side for one in shapes if one.square is square], list(up))
        for name, square, up in (
            ("AP50 of people", False, (one.figures[2] for one in shapes if not one.square)),
            ("AP50 of all labels", False, (one.figures[0] for one in shapes if not one.square)),
        )
    }
    plots.curves(plot_file(folder, "sizes"), by_side, "longest side in pixels", "AP50")


def card(
    manifest: Manifest,
    measured: Measured,
    shapes: Sequence[Tried],
    changes: Mapping[str, Sequence[Difference]],
    runtimes: Mapping[str, Found],
    minutes: float,
) -> str:
    """The card: the template with the figures; `changes` are against the shapes that it names."""
    worst, best = largest_gap(measured.parts)
    withheld = [label for label, band in _own_bands(manifest).items() if band.present is None]
    return TEMPLATE.read_text().format(
        version=manifest.version,
        side=manifest.preprocessing.width,
        license=manifest.license.text,
        command=manifest.provenance.command,
        limits=limits(manifest),
        quality=summary(measured.rows),
        labels=len(measured.by_label),
        fewest=FEWEST_BOXES,
        by_label=_by_label(manifest, measured.by_label),
        **{name: _change(one) for name, one in changes.items()},
        shapes=_shapes(shapes),
        sizes_plot=plot("sizes", "AP50 by the input's longest side"),
        losses=table(
            ("scores", "loss"), [(name, f"{loss:.4f}") for name, loss in measured.losses.items()]
        ),
        meaning=_meaning(measured.meaning),
        reached=_reached(measured.meaning),
        reliability=plot("reliability", "score said against share that was right, on test"),
        thresholds=thresholds(manifest),
        withheld=", ".join(withheld) or "none",
        likely=LIKELY,
        given=_given(measured.given, measured.likely),
        held=_held(measured.given),
        coverage=plot("precision-coverage", "precision against how much is answered, on test"),
        conditions=_conditions(measured.conditions),
        parts=_parts(measured.parts),
        sizes=_sizes(measured.sizes),
        worst=f"{worst.name} ({worst.ap50.value:.3f})",
        best=f"{best.name} ({best.ap50.value:.3f})",
        gap=worst.by,
        runtimes=_runtimes(runtimes),
        cost=cost(minutes),
    )


def _own_bands(manifest: Manifest) -> Mapping[str, Band]:
    name = manifest.default_threshold_set
    return {} if name is None else manifest.threshold_sets[name].labels


def _by_label(manifest: Manifest, by_label: Mapping[int, tuple[int, float]]) -> str:
    return ", ".join(
        f"{manifest.labels[label].name.lower()} {value:.2f} ({count})"
        for label, (count, value) in by_label.items()
        if count >= FEWEST_BOXES
    )


def _change(change: Sequence[Difference]) -> str:
    return ", ".join(f"{name} {one.text()}" for name, one in zip(FIGURES, change, strict=True))


def _shapes(shapes: Iterable[Tried]) -> str:
    return table(
        ("longest side", *FIGURES, "ms"),
        (
            (one.name, *(f"{value:.3f}" for value in one.figures), f"{one.found.milliseconds:.0f}")
            for one in shapes
        ),
    )


def _meaning(by_split: Mapping[str, Meaning]) -> str:
    return table(
        ("measured on", "scores above 0.05", "ECE", "by chance alone", "Brier skill"),
        (
            (split, str(one.scores), one.error.text(), f"{one.by_chance:.3f}", one.skill.text(2))
            for split, one in by_split.items()
        ),
    )


def _reached(by_split: Mapping[str, Meaning]) -> str:
    reached = [split for split, one in by_split.items() if one.error.value <= _MOST_ERROR]
    missed = [split for split in by_split if split not in reached]
    return f"It is reached on {_names(reached)}, and missed on {_names(missed)}."


def _held(given: Mapping[str, Sequence[Given]]) -> str:
    """Of all labels together, which is the last row of each split."""
    held = [split for split, rows in given.items() if rows[-1].precision.value >= TARGET]
    missed = [split for split in given if split not in held]
    return f"The target of {TARGET:g} held on {_names(held)}, and was missed on {_names(missed)}."


def _names(splits: Sequence[str]) -> str:
    return " and ".join(splits) or "none"


def _given(default: Mapping[str, Sequence[Given]], likely: Mapping[str, Sequence[Given]]) -> str:
    return table(
        ("set", "measured on", "labels", "boxes given", "right", "of those drawn"),
        (
            (name, split, one.labels, str(one.count), one.precision.text(2), f"{one.recall:.2f}")
            for name, by_split in (("precision-90-v1", default), ("even-v1", likely))
            for split, rows in by_split.items()
            for one in rows
        ),
    )


def _conditions(found: Iterable[Condition]) -> str:
    return table(
        ("photos", *FIGURES, "change of AP50", "change of person AP50"),
        (
            (
                one.name,
                *(f"{value:.3f}" for value in one.figures),
                one.change[0].text(),
                one.change[2].text(),
            )
            for one in found
        ),
    )


def _parts(found: Iterable[Part]) -> str:
    return table(
        ("by", "part", "photos", "boxes", "AP50 of all boxes"),
        ((one.by, one.name, str(one.photos), str(one.boxes), one.ap50.text()) for one in found),
    )


def _sizes(found: Iterable[Size]) -> str:
    return table(
        ("drawn boxes", "number", "found by default", "found with even-v1"),
        ((one.name, str(one.boxes), one.default.text(2), one.likely.text(2)) for one in found),
    )


def _runtimes(by_name: Mapping[str, Found]) -> str:
    return table(
        ("runtime", *FIGURES),
        (
            (name, *(f"{value:.4f}" for value in figures(found)(np.ones(len(found)))))
            for name, found in by_name.items()
        ),
    )


def _scored(held: Guesses) -> Mapping[str, Scored]:
    people = held.labels == 0
    drawn = frozenset(held.drawn)
    return {
        "person": held.scored(people, frozenset([0])),
        "all others": held.scored(~people, drawn - {0}),
    }
