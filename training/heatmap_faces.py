"""Faces to compare explanations on: those that people marked and a network is sure of."""

import csv
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from chassis.images import Pixels
from services.classifier.covering import Covering
from services.classifier.faces import FoundFace
from services.classifier.framing import face_crop, face_window
from services.classifier.model import Attributes, Classifier, Face, LabelScore
from services.classifier.squares import Image
from services.model import Box
from training.heatmap_scores import Floats, Landmarks

_SURE: Final = 0.8  # the least score: there is something to explain


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A face as the network sees it, in a photo of its own."""

    photo: Pixels
    landmarks: Landmarks
    crop: Image

    @property
    def window(self) -> Floats:
        """The edges of the crop, in pixels of the photo."""
        return face_window(self.landmarks)

    def find(self, _: Image) -> tuple[FoundFace, ...]:
        """The face, where people marked it."""
        return (FoundFace(np.zeros(4, np.float32), self.landmarks, 1.0),)


def sure_faces(classifier: Classifier, label: str, data: Path, most: int) -> Iterator[Sample]:
    """Faces of val that have the label and that the network is sure of, in a fixed random order."""
    place = [one.id for one in classifier.package.manifest.labels].index(label)
    side = classifier.package.manifest.preprocessing.width
    landmarks = read_landmarks(data, "val")
    with (data / "faces" / "labels-val.csv").open(newline="") as file:
        names = [row["file"] for row in csv.DictReader(file) if row[label] == "1"]
    chosen = 0
    for name in np.random.default_rng(0).permutation(sorted(set(names) & landmarks.keys())):
        photo = Pixels(read_face(data, "val", name))
        crop = face_crop(photo.array, landmarks[name], side)
        if classifier.probabilities(classifier.logits([crop]))[0, place] >= _SURE:
            yield Sample(photo, landmarks[name], crop)
            chosen += 1
        if chosen == most:
            return


def read_landmarks(data: Path, split: str) -> Mapping[str, Landmarks]:
    """The five points of every face that has them, by the face's name, in pixels of its photo."""
    with (data / "faces" / f"landmarks-{split}.csv").open(newline="") as file:
        return {
            row.pop("file"): np.array([*map(float, row.values())], np.float32).reshape(5, 2)
            for row in csv.DictReader(file)
        }


def read_face(data: Path, split: str, name: str) -> Image:
    """A face's photo; FileNotFoundError if no archive holds it."""
    for path in sorted((data / "faces").glob(f"{split}-*.zip")):
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                if Path(member).name == name:
                    content = np.frombuffer(archive.read(member), np.uint8)
                    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR_RGB), np.uint8)
    raise FileNotFoundError(name)


def covers(classifier: Classifier, sample: Sample, label: str) -> Floats:
    """The map that is served."""
    labels = [one.id for one in classifier.package.manifest.labels]
    covering = Covering(sample, classifier, labels, sample.crop.shape[0])
    face = Face(Box(0, 0, 1, 1), 1.0, (LabelScore(label, 1.0),))
    steps = covering.explain(sample.photo, Attributes((face,), ()))
    ((found,),) = [done for done in steps if done]
    return found.values
