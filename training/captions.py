"""The default captioner: trained on Flickr8k, and made into a package.

    python -m training.captions train              # trains, then writes models/captions/VERSION
    python -m training.captions package            # writes the package from the best weights so far
    python -m training.captions evaluate models/captions/1.0.0

`train` first learns people's sentences word by word, then rewards drawn sentences by CIDEr-D: about
an hour on two cores. It can be stopped at any time and goes on after the last finished epoch;
`--init PACKAGE` starts from a package's weights. Photos are read from `--data` (../shared/data, or
TRILENS_DATA). `evaluate` needs neither Keras nor TensorFlow.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import click

from services.packages import Package, open_package
from services.packages.golden import complete
from training.caption_card import card, fields, summary
from training.caption_corpus import read_split
from training.caption_evaluation import Measured, evaluate
from training.options import data_option, output_option, version_option

SEED: Final = 7
SPLITS: Final = ("val", "test")
GOLDEN: Final = tuple(Path("tests/photos") / name for name in ("astronaut.jpg", "cat.jpg"))

_data = data_option("captions/")
_run = click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/captions"),
    show_default=True,
    help="Where features and checkpoints are kept.",
)


@click.group()
def main() -> None:
    """Makes and measures the default captioner."""


@main.command("train")
@_data
@_run
@version_option
@output_option
@click.option("--seed", default=SEED, show_default=True, help="Of every random choice.")
@click.option(
    "--init",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A package to start from, in a new --run, instead of ImageNet's weights.",
)
def train_command(
    data: Path,
    folder: Path,
    version: str,
    output: Path,
    seed: int,
    init: Path | None,
) -> None:
    """Trains until all stages are done, and writes the package."""
    from training.caption_run import train

    train(data, folder, seed, init)
    _package(data, folder, version, output)


@main.command("package")
@_data
@_run
@version_option
@output_option
def package_command(data: Path, folder: Path, version: str, output: Path) -> None:
    """Writes the package from the best weights so far."""
    _package(data, folder, version, output)


@main.command("evaluate")
@_data
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def evaluate_command(data: Path, folder: Path) -> None:
    """Measures a package on val and on test, as it is served."""
    for split, measured in _measured(open_package(folder), data).items():
        click.echo(summary(split, measured))


def _package(data: Path, run: Path, version: str, output: Path) -> None:
    from services.captioner.model import load
    from training.caption_run import write_networks

    folder = output / "captions" / version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_networks(run, folder)
    unmeasured = complete(folder, fields(version, {}), GOLDEN, load)
    measured = _measured(unmeasured, data)
    made = complete(folder, fields(version, measured), GOLDEN, load)
    photos = len(read_split(data, "train"))
    (folder / "card.md").write_text(card(made, measured, photos))
    for split, figures in measured.items():
        click.echo(summary(split, figures))
    size = sum(file.stat().st_size for file in folder.rglob("*.*"))
    click.echo(f"wrote {folder}, {size / 1e6:.1f} MB")


def _measured(package: Package, data: Path) -> dict[str, Measured]:
    return {split: evaluate(package, data, split) for split in SPLITS}


if __name__ == "__main__":
    main()
