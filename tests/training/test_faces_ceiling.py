"""What the labels of val allow, whatever a network says."""

import numpy as np

from training.faces_ceiling import ceiling
from training.faces_data import LABELS, UNKNOWN, Faces
from training.faces_reviewed import read_reviews

REVIEWS = read_reviews("val")
SEEN = {True: 1.0, None: 0.0, False: -1.0}


def faces(labels, names):
    known = np.full((len(names), len(LABELS)), UNKNOWN, np.int8)
    known[:, 0] = labels
    count = len(names)
    landmarks = np.full((count, 5, 2), np.nan, np.float32)
    images = np.zeros((count, 1, 1, 3), np.uint8)
    return Faces(images, known, names, ("mtfl",) * count, landmarks)


def test_a_network_that_knows_the_labels_reaches_them_and_one_that_guesses_adds_nothing():
    random = np.random.default_rng(2)
    names = tuple(review.file for review in REVIEWS)
    seen = np.array([SEEN[review.smiles] for review in REVIEWS])
    labels = random.random(len(seen)) < 1 / (1 + np.exp(-2 * seen))
    given = faces(labels, names)

    knowing = ceiling(np.where(labels, 6.0, -6.0)[:, None], given, "val")
    guessing = ceiling(random.normal(size=(len(seen), 1)), given, "val")

    assert knowing.auc > 0.999
    assert knowing.accuracy > 0.999
    assert 0.75 < guessing.auc < 0.9


def test_faces_that_nobody_looked_at_have_no_ceiling():
    assert ceiling(np.zeros((2, 1)), faces([1, 0], ("a.jpg", "b.jpg")), "val") is None
