"""The default captioner: trained on Flickr8k, and made into a package; or one of a team's own.

    python -m training.captions train              # trains, then writes models/captions/VERSION
    python -m training.captions package            # measures and writes the best weights so far
    python -m training.captions evaluate models/captions/1.1.0
    python -m training.captions finetune --captions my.csv --photos folder \\
        --init models/captions/1.1.0 --version 1.2.0

`train` first learns people's sentences word by word, then rewards drawn sentences by CIDEr-D: about
an hour on two cores. `finetune` teaches a package other photos and sentences, its encoder's last
blocks included. Both can be stopped at any time and go on after the last finished epoch. Flickr8k
is read from `--data` (../shared/data, or TRILENS_DATA). `evaluate` needs neither Keras nor
TensorFlow; `python -m training.compare OLD NEW` compares two packages.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import click

from services.manifest import Task
from services.packages import InvalidPackage, open_package
from training.caption_card import summary
from training.caption_findings import quality
from training.caption_sources import flickr, own, parted
from training.comparison import check_task
from training.options import VERSION, data_option, output_option
from training.replaced import replaced

SEED: Final = 7
SPLITS: Final = ("val", "test")

_Folder = click.Path(path_type=Path, file_okay=False)
_data = data_option("captions/")
_run = click.option(
    "--run",
    "folder",
    type=_Folder,
    default=Path("build/captions"),
    show_default=True,
    help="Where features and checkpoints are kept.",
)
_version = click.option(
    "--version", type=VERSION, default="1.1.0", show_default=True, help="Of the package."
)
_seed = click.option("--seed", default=SEED, show_default=True, help="Of every random choice.")


@click.group()
def main() -> None:
    """Makes and measures captioners."""


@main.command("train")
@_data
@_run
@_version
@output_option
@_seed
def train_command(data: Path, folder: Path, version: str, output: Path, seed: int) -> None:
    """Trains until all stages are done, and writes the package."""
    from training.caption_run import train

    train(flickr(data, "train"), flickr(data, "val"), folder, seed)
    _package(data, folder, version, output)


@main.command("package")
@_data
@_run
@_version
@output_option
def package_command(data: Path, folder: Path, version: str, output: Path) -> None:
    """Writes the package from the best weights so far."""
    _package(data, folder, version, output)


@main.command("evaluate")
@_data
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def evaluate_command(data: Path, folder: Path) -> None:
    """Measures a package on val and on test, as it is served."""
    found = quality(open_package(folder), {split: flickr(data, split) for split in SPLITS})
    for split in SPLITS:
        click.echo(summary(split, found))


@main.command("finetune")
@click.option(
    "--captions",
    "table",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="CSV file with the columns image and caption, a row for each sentence.",
)
@click.option(
    "--photos",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    required=True,
    help="Folder of the photos that it names.",
)
@click.option(
    "--init",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    required=True,
    help="The package to start from.",
)
@click.option("--version", type=VERSION, required=True, help="Of the new package.")
@click.option(
    "--run",
    "folder",
    type=_Folder,
    default=Path("build/captions-own"),
    show_default=True,
    help="Where checkpoints and the table of held-out photos are kept; one for each run.",
)
@output_option
@click.option("--epochs", type=click.IntRange(min=1), default=5, show_default=True)
@click.option(
    "--held-out",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.1,
    show_default=True,
    help="Share of the photos to measure on, chosen by their names.",
)
@_seed
def finetune_command(
    *,
    table: Path,
    photos: Path,
    init: Path,
    version: str,
    folder: Path,
    output: Path,
    epochs: int,
    held_out: float,
    seed: int,
) -> None:
    """Teaches a package a team's own photos, and writes the next version and its card."""
    from training.caption_own import package
    from training.caption_run import finetune

    try:
        base = open_package(init)
        check_task(base, Task.CAPTION)
        corpus, val = parted(own(table, photos), held_out)
        target = _new(output / base.manifest.name / version)
        words = finetune(init, corpus, val, folder, seed, epochs)
        made = package(base, corpus, val, target, folder, photos)
    except (InvalidPackage, OSError, ValueError) as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo((made.path / "card.md").read_text())
    click.echo(f"learnt {words} words anew; wrote {made.path}")


def _new(folder: Path) -> Path:
    """The folder, which must not be there yet: a version never changes."""
    if folder.exists():
        raise ValueError(f"{folder} is there already: a version never changes")
    return folder


def _package(data: Path, run: Path, version: str, output: Path) -> None:
    from training.caption_package import package

    folder = output / "captions" / version
    with replaced(folder) as made:
        found = package(run, made, version, {split: flickr(data, split) for split in SPLITS})
    for split in SPLITS:
        click.echo(summary(split, found))
    size = sum(file.stat().st_size for file in folder.rglob("*.*"))
    click.echo(f"wrote {folder}, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
