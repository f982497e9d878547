"""Tiny packages, one per task and version: `python -m tests.tiny FOLDER` writes all of them.

They tell colours: which of red, green and blue is strongest, in a face that is always there, in
each quarter of the photo, and in words. A prediction takes less than a millisecond and their truth
needs no labelling, so that tests of load, scaling and rollouts measure the system and not a model.
"""

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import onnx

from services.captioner.model import load as load_captioner
from services.classifier.model import load as load_classifier
from services.detector.model import load as load_detector
from services.model import Model
from services.packages import Package
from services.packages.golden import Load, complete
from services.runtimes.simulated import BASE, EACH
from tests.tiny_networks import COLOURS, SIDE, WORDS, Order, captioner, classifier, detector

_PHOTOS: Final = Path(__file__).parent / "photos"
_GOLDEN: Final = (_PHOTOS / "astronaut_small.png", _PHOTOS / "coffee.jpg")


@dataclass(frozen=True, slots=True)
class Kind:
    """What tells one version from another."""

    order: Order = (0, 1, 2)  # the channels that it takes for red, green and blue
    shift: float = 0.0  # of its boxes, in pixels of its input
    seconds: tuple[float, float] | None = None  # a simulated accelerator's: base, for each photo


@dataclass(frozen=True, slots=True)
class Feature:
    """What tells one task's packages from another's."""

    task: str
    networks: Callable[[Kind], dict[str, str]]  # by name, the one that takes the time first
    fields: dict[str, Any]  # of the manifest
    load: Load


KINDS: Final[Mapping[str, Kind]] = {
    "1.0.0": Kind(),
    "1.1.0": Kind(),  # answers alike
    "1.2.0": Kind(order=(1, 2, 0)),  # calls every colour by another's name
    "1.3.0": Kind(order=(2, 1, 0)),  # swaps red and blue, as code does that forgets OpenCV's order
    "1.4.0": Kind(shift=6.0),  # boxes beside their objects
    "2.0.0": Kind(seconds=(0.02, 0.005)),  # on a simulated accelerator
    "2.1.0": Kind(seconds=(0.02, 0.005)),
}


def write(folder: Path, feature: str, version: str, kind: Kind | None = None) -> Package:
    """Writes the package of that feature and version into `folder`/feature/version."""
    kind = kind or KINDS[version]
    made = folder / feature / version
    made.mkdir(parents=True)
    one = FEATURES[feature]
    for number, (name, text) in enumerate(one.networks(kind).items()):
        network = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["": 17]> {name} {text}')
        if kind.seconds is not None and number == 0:
            base, each = kind.seconds
            onnx.helper.set_model_props(network, {BASE: str(base), EACH: str(each)})
        onnx.checker.check_model(network)
        onnx.save(network, made / f"{name}.onnx")
    artifacts = {file.stem: {"path": file.name} for file in made.glob("*.onnx")}
    if one.task == "caption":
        (made / "vocabulary.txt").write_text("\n".join(WORDS) + "\n")
        artifacts["vocabulary"] = {"path": "vocabulary.txt"}
    own = {"name": feature, "feature": feature, "version": version, "task": one.task}
    own["runtime"] = "onnxruntime" if kind.seconds is None else "simulated"
    return complete(
        made, {**_COMMON, **own, "artifacts": artifacts, **one.fields}, _GOLDEN, one.load
    )


def load(package: Package) -> Model[Any]:
    """Loads one of them, or any other package of its feature."""
    return FEATURES[package.manifest.feature].load(package)


def main(folder: Path) -> None:
    """Writes every version of every feature that is not there yet."""
    for feature in FEATURES:
        for version in KINDS:
            if not (folder / feature / version / "manifest.json").exists():
                shutil.rmtree(folder / feature / version, ignore_errors=True)
                write(folder, feature, version)


_LABELLED: Final = {
    "labels": [{"id": colour, "name": colour.capitalize()} for colour in COLOURS],
    "threshold_sets": {"even-v1": {"labels": {"*": {"present": 0.6, "absent": 0.4}}}},
    "default_threshold_set": "even-v1",
}
_COMMON: Final[dict[str, Any]] = {
    "schema": 1,
    "summary": "Tells red, green and blue: for tests.",
    "preprocessing": {
        "width": SIDE,
        "height": SIDE,
        "resize": "squash",
        "layout": "NCHW",
        "mean": [0, 0, 0],
        "std": [255, 255, 255],
    },
    "max_side": 64,
    "batch_sizes": [1, 2, 4, 8],
    "license": {"id": "CC0-1.0", "text": "Free for all.", "commercial_use": True},
    "provenance": {"sources": ["nothing"], "command": "python -m tests.tiny"},
}
FEATURES: Final[Mapping[str, Feature]] = {
    "attributes": Feature(
        "classification",
        lambda kind: classifier(kind.order),
        {**_LABELLED, "parameters": {"min_face": 20.0, "factor": 0.01}},
        load_classifier,
    ),
    "captions": Feature(
        "caption",
        lambda kind: captioner(kind.order),
        {"parameters": {"start": 1, "end": 0, "never": [1], "beams": 2, "longest": 6}},
        load_captioner,
    ),
    "objects": Feature(
        "detection",
        lambda kind: detector(kind.order, kind.shift),
        {**_LABELLED, "preprocessing": {**_COMMON["preprocessing"], "resize": "letterbox"}},
        load_detector,
    ),
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
