"""What training runs left behind, as the card's tables: epochs, time, and the recipe's parts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from training.card_parts import WATTS
from training.tables import table

HISTORY: Final = "history.json"
_SHOWN: Final = {"smiling AUC": 4, "sunglasses AP": 3, "eyeglasses AUC": 4, "loss": 4}


def training_rows(work: Path) -> str:
    """Figures on val after each epoch, and what all of it took."""
    history = _history(work)
    rows = [(str(one["epoch"]), *_cells(one), f"{one['CPU minutes']:g}") for one in history]
    own = _minutes(history)
    folds = sum(_minutes(_history(path)) for path in sorted(work.glob("fold-*")))
    hours = (own + folds) / 60
    best = min(history, key=lambda one: one["loss"])["epoch"] if history else 0
    return (
        table(("epoch", *_SHOWN, "CPU minutes"), rows)
        + f"\n\nEpoch {best} of {len(history)} is the package"
        + (": stopping early gained nothing. " if best == len(history) else ". ")
        + f"All took {own / 60:.1f} CPU hours, the two networks of half the faces "
        f"{folds / 60:.1f} more. At {WATTS} W "
        f"for a busy core (assumed, not measured) that is {hours * WATTS / 1000:.2f} kWh."
    )


def ablation_rows(work: Path) -> str:
    """Mean over seeds of each row, and how far the first row's seeds are apart."""
    found = read_ablation(work)
    if not found:
        return "Not measured: `python -m training.attributes ablate` does."
    rows = []
    for name, seeds in found.items():
        rows.append((name, *_cells(_mean(seeds))))
    first, *_ = found.values()
    apart = {key: max(s[key] for s in first) - min(s[key] for s in first) for key in _SHOWN}
    rows.append(("(the recipe: its seeds apart)", *_cells(apart)))
    return table(("small networks on val", *_SHOWN), rows)


def read_ablation(work: Path) -> Mapping[str, tuple[Mapping[str, float], ...]]:
    """Figures by row, one per seed; only rows that every seed has."""
    seeds = [json.loads(path.read_text()) for path in sorted(work.glob("ablation/*/found.json"))]
    if not seeds:
        return {}
    return {
        name: tuple(seed[name] for seed in seeds)
        for name in seeds[0]
        if all(name in seed for seed in seeds)
    }


def _history(work: Path) -> list[Mapping[str, float]]:
    path = work / HISTORY
    return list(json.loads(path.read_text())) if path.exists() else []


def _minutes(history: Sequence[Mapping[str, float]]) -> float:
    return sum(one["CPU minutes"] for one in history)


def _cells(found: Mapping[str, float]) -> tuple[str, ...]:
    return tuple(f"{found[name]:.{digits}f}" for name, digits in _SHOWN.items())


def _mean(seeds: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    return {name: float(np.mean([seed[name] for seed in seeds])) for name in _SHOWN}
