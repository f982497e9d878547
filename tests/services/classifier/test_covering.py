"""Maps of faces: the default classifier rests on mouths for smiles, on eyes for glasses."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from chassis.images import ImageLimits, Pixels, decode
from services.classifier.covering import COVER, GRID
from services.classifier.framing import face_crop
from services.classifier.model import Attributes, Classifier, load
from services.model import Heatmap, ModelError
from services.packages import open_package
from training.heatmap_faces import covers, sure_faces
from training.heatmap_scores import mass, region

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("TRILENS_DATA", ROOT.parent / "shared" / "data"))
SMILES = {"astronaut.jpg": 0, "two_people.jpg": 1}  # the place of who smiles among the faces
GLASSES = {"hopper.jpg": 0, "two_people.jpg": 0}

needs_data = pytest.mark.skipif(
    not (DATA / "faces").is_dir(), reason="needs the faces of ../shared/data/faces"
)


@pytest.fixture(scope="module")
def classifier():
    model = load(open_package(ROOT / "models" / "attributes" / "1.1.0"))
    yield model
    model.close()


def photo(name: str) -> Pixels:
    content = (ROOT / "tests" / "photos" / name).read_bytes()
    return decode(content, 640, ImageLimits()).pixels


def explained(classifier: Classifier, pixels: Pixels, *labels: str) -> list[Heatmap]:
    """The maps of those labels of every face."""
    (found,) = classifier.predict([pixels])
    assert isinstance(found, Attributes)
    faces = tuple(
        dataclasses.replace(face, scores=tuple(one for one in face.scores if one.label in labels))
        for face in found.faces
    )
    steps = classifier.explainer.explain(pixels, Attributes(faces, ()))
    return [heatmap for done in steps for heatmap in done]


def share(classifier: Classifier, name: str, label: str, face: int) -> tuple[float, float]:
    """How much of what speaks for a label lies where it should, and the chance of that."""
    pixels = photo(name)
    heatmap = explained(classifier, pixels, label)[face]
    landmarks = classifier._finder.find(pixels.array)[face].landmarks
    edges = np.array(dataclasses.astuple(heatmap.box)) * ([pixels.width, pixels.height] * 2)
    return mass(heatmap.values, edges, region(label, landmarks))


@pytest.mark.parametrize(("name", "face"), SMILES.items())
def test_a_smile_rests_on_the_mouth(classifier, name, face):
    on_mouth, chance = share(classifier, name, "smiling", face)

    assert on_mouth > 0.4
    assert on_mouth > 3 * chance


@pytest.mark.parametrize(("name", "face"), GLASSES.items())
def test_glasses_rest_on_the_eyes(classifier, name, face):
    on_eyes, chance = share(classifier, name, "eyeglasses", face)

    assert on_eyes > 0.4
    assert on_eyes > 3 * chance


@needs_data
def test_smiles_of_val_rest_on_the_mouth(classifier):
    samples = tuple(sure_faces(classifier, "smiling", DATA, 8))
    shares = [
        mass(
            covers(classifier, sample, "smiling"),
            sample.window,
            region("smiling", sample.landmarks),
        )
        for sample in samples
    ]

    on_mouth, chance = np.mean(shares, axis=0)
    assert len(samples) == 8
    assert on_mouth > 0.4
    assert on_mouth > 3 * chance


def test_a_value_is_how_far_the_cover_lowers_the_log_odds(classifier):
    pixels = photo("astronaut.jpg")
    (heatmap,) = explained(classifier, pixels, "smiling")
    landmarks = classifier._finder.find(pixels.array)[0].landmarks
    side = classifier.package.manifest.preprocessing.width
    crop = face_crop(pixels.array, landmarks, side)
    row, column = np.unravel_index(heatmap.values.argmax(), heatmap.values.shape)
    middle, half = (np.array([row, column]) + 0.5) * side / GRID, COVER * side / 2
    (top, left), size = np.round(middle - half).astype(int), round(2 * half)
    covered = crop.copy()
    covered[top : top + size, left : left + size] = crop.mean(axis=(0, 1))

    scores = classifier.probabilities(classifier.logits([crop, covered]))[:, 0]

    before, after = np.log(scores / (1 - scores))
    # its edge is hard, where those of the covers are soft
    assert heatmap.values.max() == pytest.approx(before - after, rel=0.5)


def test_explaining_twice_gives_the_same(classifier):
    first, again = (explained(classifier, photo("hopper.jpg"), "smiling") for _ in range(2))

    assert np.array_equal(first[0].values, again[0].values)


def test_a_face_at_the_photos_edge_is_covered_within_the_photo_only(classifier):
    whole = photo("astronaut.jpg")
    cut = Pixels(np.ascontiguousarray(whole.array[:, 190:]))  # through her hair

    (heatmap,) = explained(classifier, cut, "smiling")

    assert heatmap.box.x_min == 0
    assert heatmap.box.x_max > 0.2
    assert heatmap.values.shape == (GRID, GRID)


def test_nobody_is_explained_where_nothing_is_asked_for(classifier):
    steps = classifier.explainer.explain(photo("two_people.jpg"), Attributes((), ()))

    assert list(steps) == [()]


def test_a_face_that_is_not_found_again_is_an_error(classifier):
    (found,) = classifier.predict([photo("astronaut.jpg")])

    with pytest.raises(ModelError, match="0 faces"):
        list(classifier.explainer.explain(photo("coffee.jpg"), found))
