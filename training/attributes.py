"""The default classifier: EfficientNet-Lite0 on faces that MTCNN finds, as a package.

    make train-attributes                    # all of it; goes on where it was stopped
    python -m training.attributes evaluate models/attributes/1.1.0
    python -m training.attributes sheet build/attributes/sheet.png   # what it is shown
    python -m training.attributes ablate     # what each part of the recipe is worth
    python -m training.attributes finetune --faces my.csv --init models/attributes/1.1.0 \\
        --version 1.2.0                      # a team's own photos

`train`, which make runs once the face finder's networks are there (training/mtcnn.py), first makes
two networks of half the faces each, whose scores clean the labels and are taught beside them;
`fold 0` and `fold 1` do only that, side by side if you like. It ends by writing
models/attributes/VERSION, with its card; `package` does only that, from the best epoch so far. Data
are read from `--data` (../shared/data, or TRILENS_DATA). `evaluate` needs neither Keras nor
TensorFlow.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
import cv2

from services.packages import InvalidPackage, open_package
from training.attributes_card import summary
from training.attributes_measure import measure
from training.comparison import check_labels
from training.faces_data import LABELS, Faces, read_faces
from training.faces_truth import reviewed
from training.options import NAME, VERSION, data_option, output_option

_SPLITS: Final = ("train", "val", "test")

_data = data_option("faces/ and detection/")
_work = click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/attributes"),
    show_default=True,
    help="Folder for checkpoints and decoded faces.",
)
_finder = click.option(
    "--finder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path("build/mtcnn"),
    show_default=True,
    help="Folder with pnet.onnx, rnet.onnx and onet.onnx; a package will do.",
)
_version = click.option(
    "--version", type=VERSION, default="1.2.0", show_default=True, help="Of the package."
)


@click.group()
def main() -> None:
    """Makes and measures the default classifier."""
    cv2.setNumThreads(1)  # an idle pool beside the trainer's only takes its cores


@main.command("fold")
@_data
@_work
@click.argument("fold", type=click.IntRange(0, 1))
def fold_command(data: Path, work: Path, fold: int) -> None:
    """Trains one of the two networks of half the faces, and scores all faces with it."""
    _fold(fold, {split: read_faces(data, split, work) for split in _SPLITS}, work)


@main.command("train")
@_data
@_work
@_version
@output_option
@_finder
def train_command(data: Path, work: Path, version: str, output: Path, finder: Path) -> None:
    """Trains, or goes on with what is in the work folder, and writes the package."""
    import keras

    from training.faces_network import attributes_network
    from training.faces_recipe import DEFAULT
    from training.faces_targets import lesson
    from training.faces_training import train

    faces = {split: read_faces(data, split, work) for split in _SPLITS}
    for fold in (0, 1):
        _fold(fold, faces, work)
    keras.utils.set_random_seed(DEFAULT.seed)
    network = attributes_network(None)
    targets = lesson(faces["train"], work).targets()
    for found in train(network, faces["train"], targets, faces["val"], DEFAULT, work):
        click.echo(_line(found))
    _write_package(data, work, version, output, finder)


@main.command("package")
@_data
@_work
@_version
@output_option
@_finder
def package_command(data: Path, work: Path, version: str, output: Path, finder: Path) -> None:
    """Packages the best epoch: exports, calibrates, measures, writes the card."""
    _write_package(data, work, version, output, finder)


@main.command("evaluate")
@_data
@_work
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def evaluate_command(data: Path, work: Path, folder: Path) -> None:
    """Measures a package on framed faces, spoiled ones, whole photos, and end to end."""
    try:
        package = open_package(folder)
        check_labels(package, LABELS, "the default one")
    except (InvalidPackage, OSError, ValueError) as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo(summary(measure(package, data, work)))


@main.command("finetune")
@click.option(
    "--faces",
    "labels",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="CSV file with a column `file` and one for each label known: 1, 0 or nothing.",
)
@click.option(
    "--photos",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of the photos that it names. [default: the file's own]",
)
@click.option(
    "--init",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    required=True,
    help="The package to start from.",
)
@click.option("--version", type=VERSION, required=True, help="Of the new package.")
@click.option(
    "--name", type=NAME, help="Of the new package. [default: that of the one to start from]"
)
@output_option
@click.option("--epochs", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--seed", default=1, show_default=True)
def finetune_command(
    *,
    labels: Path,
    photos: Path | None,
    init: Path,
    version: str,
    name: str | None,
    output: Path,
    epochs: int,
    seed: int,
) -> None:
    """Trains a package on with a team's own photos, and writes the next version."""
    from training.attributes_own import PROBLEMS, finetune

    try:
        made, notes = finetune(
            open_package(init),
            labels,
            photos or labels.parent,
            name=name,
            version=version,
            output=output,
            epochs=epochs,
            seed=seed,
        )
    except PROBLEMS as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo(notes)
    click.echo(f"wrote {made}")


@main.command("ablate")
@_data
@_work
@click.option("--seed", "seeds", type=int, multiple=True, default=(1, 2), show_default=True)
def ablate_command(data: Path, work: Path, seeds: tuple[int, ...]) -> None:
    """Trains small networks without one part of the recipe each. Needs both folds."""
    from training.faces_ablation import ablate
    from training.faces_targets import lesson

    told = lesson(read_faces(data, "train", work), work)
    val = reviewed(read_faces(data, "val", work), "val")
    for seed in seeds:
        for name, found in ablate(told, val, seed, work):
            click.echo(f"seed {seed}, {name}: {_line(found)}")


@main.command("sheet")
@_data
@_work
@click.option("--seed", default=1, show_default=True)
@click.argument("picture", type=click.Path(path_type=Path, dir_okay=False))
def sheet_command(data: Path, work: Path, seed: int, picture: Path) -> None:
    """Draws what training makes of faces: their variants, and sunglasses drawn beside real ones."""
    from training.faces_sheet import write_sheet

    write_sheet(read_faces(data, "train", work), picture, seed)


def _fold(fold: int, faces: Mapping[str, Faces], work: Path) -> None:
    """Trains and scores a fold's network, unless that is done."""
    from training.faces_folds import begin_fold, fold_logits, scored_before, train_fold

    begin_fold(fold, faces["train"], faces["val"], work)
    if not scored_before(fold, _SPLITS, work):
        for found in train_fold(fold, faces["train"], faces["val"], work):
            click.echo(f"fold {fold}, {_line(found)}")
    for split in _SPLITS:
        fold_logits(fold, faces[split], split, work)


def _line(found: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in found.items())


def _write_package(data: Path, work: Path, version: str, output: Path, finder: Path) -> None:
    from training.attributes_package import write

    folder, found = write(data, work, version, output, finder)
    click.echo(summary(found))
    click.echo(f"wrote {folder}")


if __name__ == "__main__":
    main()
