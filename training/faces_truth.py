"""Smiles as they were seen when faces were looked at again, in place of the labels that came."""

from dataclasses import replace
from typing import Final

from training.faces_data import LABELS, UNKNOWN, Faces
from training.faces_reviewed import read_reviews, reviewed_labels

SMILING: Final = LABELS.index("smiling")


def reviewed(faces: Faces, split: str) -> Faces:
    """The faces with the reviewed labels of smiling; where that was unclear it is not known.

    Those of a split that was not looked at again stay as they are.
    """
    told = reviewed_labels(smiles(faces), read_reviews(split))
    labels = faces.labels.copy()
    labels[:, SMILING] = [int(told.get(name, UNKNOWN)) for name in faces.names]
    return replace(faces, labels=labels)


def smiles(faces: Faces) -> dict[str, bool]:
    """The labels of smiling by name, where known."""
    pairs = zip(faces.names, faces.labels[:, SMILING].tolist(), strict=True)
    return {name: label == 1 for name, label in pairs if label != UNKNOWN}
