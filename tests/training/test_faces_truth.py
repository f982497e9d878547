"""Reviewed smiles replace the labels that the data came with, and nothing else."""

import numpy as np

from training.faces_data import SIDE, UNKNOWN, Faces
from training.faces_reviewed import read_reviews
from training.faces_truth import reviewed, smiles


def test_what_was_seen_counts_unclear_smiles_are_left_out_and_the_rest_stays():
    reviews = {str(review.smiles): review for review in read_reviews("test")}
    names = (*(reviews[told].file for told in ("True", "False", "None")), "celeba_no_smile_known")
    labels = np.array([[0, 0, 1], [1, 1, 0], [1, 0, 0], [UNKNOWN, 1, UNKNOWN]], np.int8)
    faces = Faces(
        images=np.zeros((4, SIDE, SIDE, 3), np.uint8),
        labels=labels,
        names=names,
        sources=("mtfl", "mtfl", "mtfl", "celeba"),
        landmarks=np.zeros((4, 5, 2), np.float32),
    )

    found = reviewed(faces, "test")

    assert found.labels[:, 0].tolist() == [1, 0, UNKNOWN, UNKNOWN]
    assert (found.labels[:, 1:] == labels[:, 1:]).all()
    assert smiles(faces) == {names[0]: False, names[1]: True, names[2]: True}
    assert (reviewed(faces, "train").labels == labels).all()
