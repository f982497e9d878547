"""Measures a classifier: on framed faces, on whole photos, and on photos without people."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from chassis.images import ImageLimits, Pixels, decode
from services.classifier.model import Attributes, Classifier
from training import coco
from training.faces_augment import reframed
from training.faces_data import LABELS, SIDE, UNKNOWN, Faces
from training.faces_scores import Quality, quality

_BORDER: Final = SIDE // 2  # pixels around a face's crop that make a photo of it
_AT_ONCE: Final = 64
Change = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
_PERSON: Final = 0  # COCO's number


@dataclass(frozen=True, slots=True)
class EndToEnd:
    """Faces pasted into photos, found and scored as a caller's are."""

    face: int  # rough width of a face in its photo, in pixels
    faces: int
    found: float  # share of the faces, in [0, 1]
    labels: Mapping[str, Quality]  # over the faces found; where both kinds are among them


@dataclass(frozen=True, slots=True)
class OnPhotos:
    """What photos of everyday scenes cost, and how many faces are seen where nobody is."""

    photos: int
    milliseconds: float  # CPU time per photo, photos one by one
    without_people: int  # photos
    false_faces: int  # over all of those


def crop_scores(
    classifier: Classifier, faces: Faces, change: Change | None = None
) -> NDArray[np.float64]:
    """Calibrated scores (faces, labels), of faces changed in some way first if you like."""
    return classifier.probabilities(crop_logits(classifier, faces, change))


def crop_logits(
    classifier: Classifier, faces: Faces, change: Change | None = None
) -> NDArray[np.float32]:
    """The network's answers (faces, labels), before calibration."""
    side = classifier.package.manifest.preprocessing.width
    parts = []
    for at in track(range(0, len(faces.names), _AT_ONCE), "scoring faces", transient=True):
        images = faces.images[at : at + _AT_ONCE]
        changed = images if change is None else [change(image) for image in images]
        parts.append(classifier.logits([reframed(image, side) for image in changed]))
    return np.concatenate(parts)


def qualities(
    classifier: Classifier, scores: NDArray[np.float64], labels: NDArray[np.int8]
) -> dict[str, Quality]:
    """Quality by label, by the package's default thresholds; of labels that both kinds occur of."""
    bands = classifier.package.manifest.bands()
    found = {}
    for column, label in enumerate(LABELS):
        known = labels[:, column] != UNKNOWN
        truth = labels[known, column] == 1
        if 0 < truth.sum() < len(truth):
            found[label] = quality(scores[known, column], truth, bands[label])
    return found


def measure_end_to_end(classifier: Classifier, faces: Faces, shrink: int) -> EndToEnd:
    """The faces of MTFL in photos of their own, 1 / `shrink` of their size."""
    chosen = [place for place, source in enumerate(faces.sources) if source == "mtfl"]
    scores, labels = [], []
    for place in track(chosen, "searching faces", transient=True):
        found = _middle_face(classifier, _photo(faces.images[place], shrink))
        if found is not None:
            scores.append(found)
            labels.append(faces.labels[place])
    return EndToEnd(
        face=SIDE // 2 // shrink,
        faces=len(chosen),
        found=len(scores) / max(1, len(chosen)),
        labels=qualities(
            classifier,
            np.array(scores).reshape(-1, len(LABELS)),
            np.array(labels, np.int8).reshape(-1, len(LABELS)),
        ),
    )


def measure_photos(classifier: Classifier, folder: Path) -> OnPhotos:
    """Runs over the photos of detection/val and detection/test."""
    photos = [photo for split in ("val", "test") for photo in coco.photos(folder, split)]
    pixels = [decode(one.content, classifier.max_side, ImageLimits()).pixels for one in photos]
    begun = time.process_time()
    answers = [_answer(classifier, one) for one in pixels]
    spent = time.process_time() - begun
    empty = [_PERSON not in photo.truth.labels for photo in photos]
    return OnPhotos(
        photos=len(photos),
        milliseconds=spent / len(photos) * 1e3,
        without_people=sum(empty),
        false_faces=sum(len(a.faces) for a, alone in zip(answers, empty, strict=True) if alone),
    )


def _photo(face: NDArray[np.uint8], shrink: int) -> Pixels:
    """The face with a border around it, as a small photo."""
    wide = np.pad(face, ((_BORDER, _BORDER), (_BORDER, _BORDER), (0, 0)), mode="reflect")
    side = wide.shape[0] // shrink
    return Pixels(np.asarray(cv2.resize(wide, (side, side), interpolation=cv2.INTER_AREA)))


def _middle_face(classifier: Classifier, photo: Pixels) -> NDArray[np.float64] | None:
    """Scores of the face that covers the photo's middle; None if none was found there."""
    for face in _answer(classifier, photo).faces:
        box = face.box
        if box.x_min < 0.5 < box.x_max and box.y_min < 0.5 < box.y_max:
            return np.array([score.score for score in face.scores])
    return None


def _answer(classifier: Classifier, photo: Pixels) -> Attributes:
    (answer,) = classifier.predict([photo])
    if not isinstance(answer, Attributes):
        raise answer
    return answer
