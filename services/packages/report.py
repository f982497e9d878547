"""Tells at a terminal what a package just built takes and answers, and what to do next."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from services.manifest import Task
from services.packages import Package

_SERVICES: Final = {
    Task.DETECTION: "detector",
    Task.CLASSIFICATION: "classifier",
    Task.CAPTION: "captioner",
}


def report(package: Package) -> None:
    """Writes a summary, the answers to its golden photos, and commands ready to paste."""
    manifest = package.manifest
    shape = manifest.preprocessing
    click.echo(f"wrote {package.path}: {manifest.summary}")
    click.echo(f"  input     {shape.width} x {shape.height} pixels, {shape.resize}")
    click.echo(f"  runtime   {manifest.runtime}, batches of {manifest.batch_sizes}")
    if names := [label.id for label in manifest.labels]:
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        click.echo(f"  labels    {len(names)}: {', '.join(names[:8])}{more}")
    for case in manifest.golden.cases:
        answer = json.loads((package.path / case.expected).read_text())
        click.echo(f"  {Path(case.photo).stem:<9} {_best(answer)}")
    click.echo(
        "\nThe answers above are from now on what must come out of it: look whether they are right."
        f"\nSay in {package.path / 'card.md'} how good the model is. Then:\n\n"
        f"  python -m services.packages verify {package.path}\n"
        f"  TRILENS_MODEL={package.path} python -m services.{_SERVICES[manifest.task]}\n"
    )


def _best(answer: Any) -> str:
    """The best few of a prediction, whatever its task: their label or text, and their score."""
    found = next(value for value in reversed(answer.values()) if isinstance(value, list))
    return (
        ", ".join(
            f"{one['label']} {one['score']:.2f}" if "label" in one else one["text"]
            for one in found[:4]
        )
        or "nothing"
    )
