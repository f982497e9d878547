"""A Keras model's package as it was before its export: the same weights, hosted by TensorFlow.

    python -m training.native models/captions/1.1.0 FOLDER

Rebuilds the Keras networks of a classification or caption package from its ONNX files, and writes a
package for the tensorflow runtime.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import click

from services.captioner.model import VOCABULARY
from services.classifier.model import ARTIFACT, FINDERS
from services.manifest import Task
from services.packages import Package, open_package, write_manifest


@click.command()
@click.argument("source", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.argument("folder", type=click.Path(path_type=Path, exists=False))
def main(source: Path, folder: Path) -> None:
    """Writes the package in SOURCE, hosted by TensorFlow, to FOLDER."""
    made = hosted(open_package(source), folder)
    click.echo(f"wrote {made.path}")


def hosted(package: Package, folder: Path) -> Package:
    """The package with its networks as Keras has them, in a new folder.

    Raises ValueError for a task whose models are not Keras's.
    """
    rebuild = {Task.CLASSIFICATION: _classifier, Task.CAPTION: _captioner}.get(
        package.manifest.task
    )
    if rebuild is None:
        raise ValueError(f"{package.path}: only classifiers and captioners are Keras models")
    folder.mkdir(parents=True)
    fields = package.manifest.model_dump(mode="json", by_alias=True)
    for case in package.manifest.golden.cases:
        for name in (case.photo, case.expected):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(package.path / name, folder / name)
    artifacts = {key: {"path": path} for key, path in rebuild(package, folder).items()}
    # Keras has channels last, whatever the export made of them.
    preprocessing = fields["preprocessing"] | {"layout": "NHWC"}
    write_manifest(
        folder,
        fields | {"runtime": "tensorflow", "artifacts": artifacts, "preprocessing": preprocessing},
    )
    return open_package(folder)


def _classifier(package: Package, folder: Path) -> Mapping[str, str]:
    import keras

    from training.faces_network import attributes_network
    from training.native_faces import face_network

    side = package.manifest.preprocessing.width
    network = attributes_network(side, package.file(ARTIFACT))
    images = keras.Input(network.input_shape[1:], name="images")
    keras.Model(images, {"logits": network(images)}).save(folder / f"{ARTIFACT}.keras")
    for name in FINDERS:
        face_network(package.file(name)).save(folder / f"{name}.keras")
    return {name: f"{name}.keras" for name in (ARTIFACT, *FINDERS)}


def _captioner(package: Package, folder: Path) -> Mapping[str, str]:
    from training.native_captions import save

    save(package, folder)
    shutil.copyfile(package.file(VOCABULARY), folder / "vocabulary.txt")
    return {
        "encoder": "encoder.zip",
        "decoder": "decoder.zip",
        VOCABULARY: "vocabulary.txt",
    }


if __name__ == "__main__":
    main()
