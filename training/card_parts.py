"""What the cards of all models have in common: figures, thresholds, terms, limits, cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from services.manifest import Manifest
from services.thresholds import Band, ThresholdSet
from training.bootstrap import Estimate
from training.tables import table

PLOTS: Final = "card"  # folder of a package's plots, beside card.md
WATTS: Final = 15  # of a busy core, assumed: these machines have no meter

_HEAD: Final = (
    "label",
    "present from",
    "right",
    "at least",
    "recall",
    "absent below",
    "right",
    "at least",
)


def metric(name: str, figure: Estimate, dataset: str, split: str, count: int) -> dict[str, Any]:
    """A figure as the manifest holds it."""
    return {
        "name": name,
        **{end: round(getattr(figure, end), 4) for end in ("value", "low", "high")},
        "dataset": dataset,
        "split": split,
        "count": count,
    }


def thresholds(manifest: Manifest) -> str:
    """The default threshold set: its policy, its bands, and what they reached where fitted."""
    name = manifest.default_threshold_set
    if name is None:
        return "It has no thresholds."
    chosen = manifest.threshold_sets[name]
    return f"{_policy(name, chosen)}\n\n{bands(chosen)}"


def bands(chosen: ThresholdSet) -> str:
    """A set's bands as a table; "at least" is the one-sided 95 % bound (Clopper and Pearson)."""
    return table(_HEAD, [_row(label, band) for label, band in chosen.labels.items()])


def limits(manifest: Manifest) -> str:
    """What the manifest says that the model is not good at and not for."""
    return "\n".join(f"- {limit}" for limit in manifest.limits)


def plot(name: str, what: str) -> str:
    """A plot of the package, with what it shows for those who cannot see it."""
    return f"![{what}]({PLOTS}/{name}.svg)"


def plot_file(folder: Path, name: str) -> Path:
    """Where a plot of the package in `folder` lies."""
    return folder / PLOTS / f"{name}.svg"


def cost(cpu_minutes: float) -> str:
    """Computing time, and the energy that goes with it."""
    hours = cpu_minutes / 60
    return (
        f"{hours:.1f} CPU hours; at {WATTS} W for a busy core (assumed, not measured) "
        f"{hours * WATTS / 1000:.2f} kWh"
    )


def _policy(name: str, chosen: ThresholdSet) -> str:
    policy = chosen.policy
    if policy is None:
        return f"`{name}`, made by hand:"
    absent = "" if policy.target_absent is None else f", {policy.target_absent:g} of `absent`"
    return (
        f"`{name}`: for each label the lowest score from which {policy.target_precision:g} of "
        f"`present` are right{absent}, on {policy.dataset} ({policy.split}), {policy.count:,} "
        "examples:"
    )


def _row(label: str, band: Band) -> tuple[str, ...]:
    present, absent = band.when_present, band.when_absent
    return (
        "all others" if label == "*" else label,
        "never" if band.present is None else f"{band.present:g}",
        *(
            (f"{present.precision:.3f}", f"{present.precision_low:.3f}", f"{present.recall:.3f}")
            if present
            else ("", "", "")
        ),
        f"{band.absent:g}",
        *((f"{absent.precision:.3f}", f"{absent.precision_low:.3f}") if absent else ("", "")),
    )
