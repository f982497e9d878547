"""A team's own faces: an attributes package trained on with them, as its next version."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from services.classifier.model import ARTIFACT, load
from services.packages import InvalidPackage, Package, open_package
from training.attributes_package import build
from training.begun import digest
from training.bootstrap import SAMPLES
from training.comparison import compare
from training.faces_data import LABELS, UNKNOWN, Faces
from training.faces_measure import crop_scores
from training.faces_network import attributes_network
from training.faces_own import LabelledFaces, own_faces
from training.faces_recipe import Recipe
from training.faces_training import BEST, train
from training.release_notes import release_notes

PROBLEMS: Final = (InvalidPackage, OSError, ValueError)
_PARTS: Final = {"train": 0.6, "val": 0.2, "test": 0.2}  # by chance, told by the seed
_LEAST: Final = 20  # faces; of fewer no part says anything
_RATE: Final = 1e-4  # the weights are good already


def finetune(
    package: Package,
    table: Path,
    photos: Path,
    *,
    name: str | None,
    version: str,
    output: Path,
    epochs: int,
    seed: int,
) -> tuple[Path, str]:
    """Trains, calibrates and writes the new package; returns its folder and its release notes.

    Of each photo the surest face counts. 60 % of them are trained on, 20 % choose the epoch and
    calibrate, 20 % compare both packages for the notes. What is not known of a face is taught as
    the package says it, so that it is not forgotten. Raises ValueError for a table that does not
    fit, InvalidPackage for a package that is none of these.
    """
    if tuple(label.id for label in package.manifest.labels) != LABELS:
        raise ValueError(f"{package.path} has other labels than {', '.join(LABELS)}")
    own = own_faces(table, photos, package)
    if strange := sorted(set(own.label_ids) - set(LABELS)):
        raise ValueError(f"{table}: {', '.join(strange)} is not a label of {package.path}")
    if len(own.names) < _LEAST:
        raise ValueError(f"{table}: {len(own.names)} faces were found; wanted are {_LEAST}")
    folder = output / (name or package.manifest.name) / version
    if folder.exists():
        raise ValueError(f"{folder} is there already")
    places = _parts(own, seed)
    parts = {part: own.as_faces().part(chosen) for part, chosen in places.items()}
    network = _trained(package, parts, epochs, seed)
    made = folder.with_name(f"{version}.partial")
    shutil.rmtree(made, ignore_errors=True)
    built = build(made, network, package.path, parts["val"], _fields(package, name, version, table))
    notes = release_notes(
        package, built, compare(package, built, _part_of(own, places["test"]), SAMPLES)
    )
    (made / "card.md").write_text(notes)
    made.rename(folder)
    return open_package(folder).path, notes


def _trained(package: Package, parts: Mapping[str, Faces], epochs: int, seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    side = package.manifest.preprocessing.width
    network = attributes_network(side, package.file(ARTIFACT))
    taught = parts["train"]
    classifier = load(package)
    said = crop_scores(classifier, taught).astype(np.float32)
    classifier.close()
    targets = np.where(taught.labels == UNKNOWN, said, taught.labels).astype(np.float32)
    recipe = Recipe(
        epochs=epochs,
        batch=min(32, len(taught.names)),
        peak_rate=_RATE,
        seed=seed,
        side=side,
        rare=(1.0,) * len(LABELS),
    )
    with tempfile.TemporaryDirectory() as scratch:
        for _ in train(network, taught, targets, parts["val"], recipe, Path(scratch)):
            pass
        network.load_weights(Path(scratch) / BEST)
    return network


def _parts(own: LabelledFaces, seed: int) -> dict[str, NDArray[np.int64]]:
    """Places by chance, but those of a group, or else of the same picture, in one part."""
    groups = own.groups or [digest([image.tobytes()]) for image in own.images]
    _, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(sizes))
    middles = np.empty(len(sizes))
    middles[order] = np.cumsum(sizes[order]) - sizes[order] / 2
    ends = np.cumsum(list(_PARTS.values())) * len(group_of)
    part_of = np.searchsorted(ends[:-1], middles)[group_of]
    places = {part: np.flatnonzero(part_of == number) for number, part in enumerate(_PARTS)}
    if empty := [part for part, found in places.items() if not len(found)]:
        raise ValueError(f"{len(sizes)} groups are too few to keep some for {' and '.join(empty)}")
    return places


def _part_of(faces: LabelledFaces, places: NDArray[np.int64]) -> LabelledFaces:
    return replace(
        faces,
        split="test",
        images=faces.images[places],
        labels=faces.labels[places],
        names=tuple(faces.names[place] for place in places),
    )


def _fields(package: Package, name: str | None, version: str, table: Path) -> dict[str, Any]:
    fields = package.manifest.model_dump(mode="json", by_alias=True, exclude={"golden", "metrics"})
    provenance = fields["provenance"]
    return {
        **fields,
        "name": name or fields["name"],
        "version": version,
        "artifacts": {key: {"path": one["path"]} for key, one in fields["artifacts"].items()},
        "provenance": {
            "sources": [
                *provenance["sources"],
                f"{package.manifest.name} {package.manifest.version}, trained on with {table.name}",
            ],
            "command": f"python -m training.attributes finetune --faces {table.name} "
            f"--init {package.path} --version {version}",
        },
    }
