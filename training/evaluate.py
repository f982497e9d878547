"""Every figure of a package, whatever its task.

    python -m training.evaluate models/attributes/1.1.0
    python -m training.evaluate models/mine/1.0.0 --own labels.csv --photos my-photos

Without `--own` the model's own evaluation prints its card's figures of quality from the project's
data; with it, the figures that `training.compare` compares, each with its 95 % interval, from a
team's photos.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final

import click

from services.manifest import Task
from services.packages import Package, open_package
from training.bootstrap import Estimate
from training.compare import PROBLEMS, examples, own_option, photos_option, samples_option
from training.comparison import evaluate
from training.options import data_option
from training.tables import table
from training.tested import Tested

_MODULES: Final = {
    Task.CLASSIFICATION: "attributes",
    Task.CAPTION: "captions",
    Task.DETECTION: "objects",
}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@data_option("faces/, captions/ and detection/; not needed with --own", always=False)
@own_option
@photos_option
@samples_option
def main(folder: Path, data: Path, own: Path | None, photos: Path | None, samples: int) -> None:
    """Measures the package in FOLDER."""
    try:
        package = open_package(folder)
        if own:
            click.echo(
                _table(*evaluate(package, examples(package, data, "", own, photos), samples))
            )
        else:
            _as_in_its_card(package, data)
    except PROBLEMS as problem:
        raise click.ClickException(str(problem)) from problem


def _table(tested: Tested[object], figures: tuple[Estimate, ...]) -> str:
    return f"{tested.count:,} {tested.unit} of {tested.dataset}\n\n" + table(
        ("figure", "value", "95 % interval"),
        (
            (figure.name, f"{found.value:.3f}", f"{found.low:.3f} to {found.high:.3f}")
            for figure, found in zip(tested.figures, figures, strict=True)
        ),
    )


def _as_in_its_card(package: Package, data: Path) -> None:
    module = import_module(f"training.{_MODULES[package.manifest.task]}")
    module.main(["evaluate", str(package.path), "--data", str(data)], standalone_mode=False)


if __name__ == "__main__":
    main()
