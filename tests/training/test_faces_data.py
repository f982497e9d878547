"""Faces are read once, and what augmentation does to them is told by the seed."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from training.faces_augment import augmented, reframed
from training.faces_data import SIDE, UNKNOWN, read_faces

LABELS = """file,smiling,sunglasses,eyeglasses,source,origin
b.jpg,1,,0,mtfl,x
a.jpg,,1,,celeba,y
"""
LANDMARKS = """file,left_eye_x,left_eye_y,right_eye_x,right_eye_y,nose_x,nose_y,mouth_x,mouth_y,a,b
b.jpg,1,2,3,4,5,6,7,8,9,10
"""


def written(folder, names):
    """A small data folder with one split, `val`, in two archives."""
    (folder / "faces").mkdir()
    (folder / "faces" / "labels-val.csv").write_text(LABELS)
    (folder / "faces" / "landmarks-val.csv").write_text(LANDMARKS)
    for number, name in enumerate(names):
        content = io.BytesIO()
        Image.new("RGB", (64, 64), (200 * number, 0, 90)).save(content, "JPEG")
        with zipfile.ZipFile(folder / "faces" / f"val-00{number}.zip", "w") as archive:
            archive.writestr(name, content.getvalue())
    return folder


def test_faces_come_in_the_order_of_their_labels(tmp_path):
    faces = read_faces(written(tmp_path, ["a.jpg", "b.jpg"]), "val", tmp_path / "kept")

    assert faces.names == ("b.jpg", "a.jpg")
    assert faces.labels.tolist() == [[1, UNKNOWN, 0], [UNKNOWN, 1, UNKNOWN]]
    assert faces.images.shape == (2, SIDE, SIDE, 3)
    assert faces.images[0, 0, 0, 0] > 150 > faces.images[1, 0, 0, 0]
    assert faces.landmarks[0].tolist() == [[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]]
    assert np.isnan(faces.landmarks[1]).all()


def test_the_second_reading_needs_no_archive(tmp_path):
    folder = written(tmp_path, ["a.jpg", "b.jpg"])
    first = read_faces(folder, "val", tmp_path / "kept")
    for archive in folder.glob("faces/*.zip"):
        archive.unlink()

    again = read_faces(folder, "val", tmp_path / "kept")

    assert np.array_equal(again.images, first.images)


def test_labels_of_other_faces_are_not_given_to_those_that_were_kept(tmp_path):
    folder = written(tmp_path, ["a.jpg", "b.jpg"])
    read_faces(folder, "val", tmp_path / "kept")
    head, first, second = LABELS.splitlines()
    (folder / "faces" / "labels-val.csv").write_text("\n".join((head, second, first)) + "\n")

    with pytest.raises(ValueError, match="begun with other faces of val"):
        read_faces(folder, "val", tmp_path / "kept")


def test_a_labelled_face_that_is_missing_is_named_and_nothing_is_kept(tmp_path):
    folder = written(tmp_path, ["a.jpg"])

    with pytest.raises(FileNotFoundError, match=r"b\.jpg"):
        read_faces(folder, "val", tmp_path / "kept")

    assert not list((tmp_path / "kept").glob("*.npy"))


def test_faces_cut_tight_are_shown_smaller_so_that_all_are_framed_alike(tmp_path):
    folder = written(tmp_path, ["a.jpg", "b.jpg"])
    (folder / "faces" / "labels-val.csv").write_text(LABELS.replace("celeba", "smilesmiled"))
    content = io.BytesIO()
    half = np.repeat(np.array([[0] * 32 + [255] * 32], np.uint8), 64, axis=0)
    half[:8] = 255 - half[:8]
    Image.fromarray(half).convert("RGB").save(content, "PNG")
    with zipfile.ZipFile(folder / "faces" / "val-000.zip", "w") as archive:
        archive.writestr("a.jpg", content.getvalue())

    face = read_faces(folder, "val", tmp_path / "kept").images[1]

    stripe = np.flatnonzero(face[:, 0, 0] > 128)
    assert stripe[0] == 0
    assert 28 <= stripe[-1] <= 36


def test_augmentation_repeats_with_its_seed_and_differs_without():
    face = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)

    one, same, other = (augmented(face, 112, np.random.default_rng(seed)) for seed in (1, 1, 2))

    assert one.shape == reframed(face, 112).shape == (112, 112, 3)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
