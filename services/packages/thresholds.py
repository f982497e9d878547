"""Tells at a terminal what threshold sets say, and how far they are to be trusted."""

from __future__ import annotations

from collections.abc import Iterator

import click

from services.served_sets import ServedSets
from services.thresholds import Band, Reached, ThresholdSet


def show(sets: ServedSets) -> None:
    """Writes every set: what it was fitted to, then a line for each of its bands.

    "At least" is the one-sided lower 95 % confidence bound.
    """
    if not sets.by_id:
        click.echo("no threshold sets: captions need none")
    for cited, thresholds in sorted(sets.by_id.items()):
        default = " (default)" if cited == sets.default else ""
        click.echo(f"{cited}{default}: {_policy(thresholds)}")
        width = max(map(len, thresholds.labels))
        for label, band in sorted(thresholds.labels.items()):
            click.echo(f"  {label:<{width}}  {', '.join(_band(band))}")


def _policy(thresholds: ThresholdSet) -> str:
    policy = thresholds.policy
    if policy is None:
        return "made by hand, fitted to nothing"
    return (
        f"{policy.name}, fitted to precision {policy.target_precision:g} on {policy.dataset} "
        f"({policy.split}, {policy.count})"
    )


def _band(band: Band) -> Iterator[str]:
    if band.present is None:
        yield "never given"
    else:
        yield f"present from {band.present:.3f}{_reached(band.when_present)}"
    if band.absent != band.present:
        yield f"absent below {band.absent:.3f}{_reached(band.when_absent)}"


def _reached(reached: Reached | None) -> str:
    if reached is None:
        return ""
    return (
        f" (precision {reached.precision:.2f}, at least {reached.precision_low:.2f}; "
        f"recall {reached.recall:.2f})"
    )
