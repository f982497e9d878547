"""The classifier: photos in, faces with attributes out."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from chassis.images import Pixels
from services.calibration import Calibrator
from services.classifier.covering import Covering
from services.classifier.faces import FaceFinder, FoundFace, Search
from services.classifier.framing import face_crop
from services.model import Box, ModelError
from services.packages import InvalidPackage, Package
from services.runtimes import Network

FINDERS: Final = ("pnet", "rnet", "onet")  # artefacts of the face finder
ARTIFACT: Final = "attributes"
# What a manifest's `parameters` may leave out: names in the attributes network's file.
INPUT: Final = "images"
OUTPUT: Final = "logits"
_MOST_FACES_A_RUN: Final = 16  # bounds memory; a photo may show many


@dataclass(frozen=True, slots=True)
class LabelScore:
    """A label's id and its probability in [0, 1]."""

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Face:
    """A face: where it is, how sure that is in [0, 1], and every label's score."""

    box: Box
    confidence: float
    scores: tuple[LabelScore, ...]


@dataclass(frozen=True, slots=True)
class Attributes:
    """A photo's faces, the surest first, and each label's highest score among them.

    A photo without faces has no scores: of nobody it cannot be said whether they smile.
    """

    faces: tuple[Face, ...]
    scores: tuple[LabelScore, ...]


class Classifier:
    """A face finder and the attributes network, with their package."""

    def __init__(self, package: Package, finder: FaceFinder, network: Network) -> None:
        self._package = package
        self._finder = finder
        self._network = network
        manifest = package.manifest
        self._labels = tuple(label.id for label in manifest.labels)
        self._side = manifest.preprocessing.width
        self._mean = np.array(manifest.preprocessing.mean, np.float32)
        self._std = np.array(manifest.preprocessing.std, np.float32)
        self._channels_first = manifest.preprocessing.layout == "NCHW"
        self._input = str(manifest.parameters.get("input", INPUT))
        self._output = str(manifest.parameters.get("output", OUTPUT))
        self._calibrator = Calibrator(manifest)

    @property
    def package(self) -> Package:
        """The package it was loaded from."""
        return self._package

    @property
    def max_side(self) -> int:
        """Longest side of a photo that it makes use of, in pixels."""
        return self._package.manifest.max_side

    @property
    def explainer(self) -> Covering:
        """What explains its labels."""
        return Covering(self._finder, self, self._labels, self._side)

    def predict(self, batch: Sequence[Pixels]) -> tuple[Attributes | ModelError, ...]:
        """Finds each photo's faces by itself, then scores the faces of all photos together."""
        found = [self._finder.find(pixels.array) for pixels in batch]
        crops = [
            face_crop(pixels.array, face.landmarks, self._side)
            for pixels, faces in zip(batch, found, strict=True)
            for face in faces
        ]
        logits = iter(self.logits(crops))
        return tuple(
            self._answer(pixels, faces, np.array([next(logits) for _ in faces]))
            for pixels, faces in zip(batch, found, strict=True)
        )

    def logits(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """The network's raw answer (faces, labels) to faces framed as `face_crop` does."""
        if not crops:
            return np.empty((0, len(self._labels)), np.float32)
        parts = []
        for start in range(0, len(crops), _MOST_FACES_A_RUN):
            images = (np.stack(crops[start : start + _MOST_FACES_A_RUN]) - self._mean) / self._std
            if self._channels_first:
                images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
            parts.append(self._network.run({self._input: images})[self._output])
        return np.concatenate(parts)

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Calibrated scores (faces, labels) in [0, 1]."""
        return self._calibrator.of_logits(logits)

    def check(self) -> None:
        """Runs the network once; InvalidPackage if it does not answer with a logit per label."""
        shape = self.logits([np.full((self._side, self._side, 3), 128, np.uint8)]).shape
        if shape != (1, len(self._labels)):
            raise InvalidPackage(
                f"{self._package.path}: the network answers a face with shape {shape}; wanted is "
                f"(1, {len(self._labels)}), a logit per label"
            )

    def close(self) -> None:
        """Gives its memory back; predicts nothing after."""
        self._finder.close()
        self._network.close()

    def _answer(
        self, pixels: Pixels, found: tuple[FoundFace, ...], logits: NDArray[np.float32]
    ) -> Attributes | ModelError:
        if not found:
            return Attributes((), ())
        if not np.isfinite(logits).all():
            return ModelError("the network's answer for this photo is not finite")
        scores = self.probabilities(logits)
        return Attributes(
            faces=tuple(
                Face(_box(face.edges, pixels), face.confidence, self._scores(row))
                for face, row in zip(found, scores, strict=True)
            ),
            scores=self._scores(scores.max(axis=0)),
        )

    def _scores(self, row: NDArray[np.float64]) -> tuple[LabelScore, ...]:
        return tuple(
            LabelScore(label, float(score)) for label, score in zip(self._labels, row, strict=True)
        )


def load(package: Package, runtime: str | None = None, threads: int = 1) -> Classifier:
    """Loads an attributes package; all four networks run on its runtime, or on the one named.

    Raises InvalidPackage for a missing artefact, a parameter out of its type, or a network that
    does not answer with a logit per label.
    """
    search = _search(package)
    pnet, rnet, onet = (package.network(name, runtime, threads) for name in FINDERS)
    finder = FaceFinder(pnet, rnet, onet, search)
    classifier = Classifier(package, finder, package.network(ARTIFACT, runtime, threads))
    classifier.check()
    return classifier


def _search(package: Package) -> Search:
    names = {field.name for field in fields(Search)} & package.manifest.parameters.keys()
    given = {name: package.manifest.parameters[name] for name in names}
    try:
        return TypeAdapter(Search).validate_python(
            {"max_side": package.manifest.max_side, **given}, strict=False
        )
    except ValidationError as error:
        raise InvalidPackage(f"{package.path}: parameters: {error}") from None


def _box(edges: NDArray[np.float32], pixels: Pixels) -> Box:
    size = np.array([pixels.width, pixels.height] * 2)
    return Box(*np.clip(edges / size, 0, 1).tolist())
