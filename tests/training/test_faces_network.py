"""The attributes network's loss and its way on after a stop."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is installed for training only")
pytest.importorskip("tqdm", reason="tqdm is installed for training only")

from training.faces_batches import batches  # noqa: E402 (needs Keras)
from training.faces_data import SIDE, UNKNOWN, Faces  # noqa: E402
from training.faces_network import losses  # noqa: E402
from training.faces_recipe import Recipe  # noqa: E402
from training.faces_training import begin_run, figures, train  # noqa: E402

pytestmark = pytest.mark.filterwarnings(  # Keras's torch backend against NumPy 2
    "ignore:__array__ implementation:DeprecationWarning"
)

INPUT = 56  # pixels


def loss(labels, logits, **options):
    found = losses(
        np.array(labels, np.float32), np.array(logits, np.float32), (1.0, 4.0, 2.0), **options
    )
    return float(found)


def test_what_is_not_known_of_a_face_costs_nothing():
    known = loss([[1, 0, UNKNOWN], [0, UNKNOWN, 1]], [[1, -2, 9], [-1, 9, 2]])

    assert known == pytest.approx(
        loss([[1, 0, UNKNOWN], [0, UNKNOWN, 1]], [[1, -2, -9], [-1, -9, 2]])
    )


def test_a_missed_rare_label_costs_more_than_a_false_alarm():
    missed = loss([[UNKNOWN, 1, UNKNOWN]], [[0, -3, 0]])
    alarm = loss([[UNKNOWN, 0, UNKNOWN]], [[0, 3, 0]])

    assert missed == pytest.approx(4 * alarm)


def test_focal_loss_forgets_what_is_learnt_before_what_is_not():
    learnt, missed = ([[1, UNKNOWN, UNKNOWN]], [[4, 0, 0]]), ([[1, UNKNOWN, UNKNOWN]], [[-4, 0, 0]])

    assert loss(*learnt, focus=2.0) < 0.01 * loss(*learnt)
    assert loss(*missed, focus=2.0) > 0.9 * loss(*missed)


def test_a_label_of_one_kind_has_no_ranking():
    found = figures(np.zeros((2, 3), np.float32), np.array([[1, 0, 0], [0, 0, UNKNOWN]], np.int8))

    assert found.keys() == {"loss", "smiling AUC", "smiling AP"}
    assert found["smiling AUC"] == 0.5


def small_network():
    """The first trained layer's name, and no more work than a test can bear."""
    image = keras.Input((INPUT, INPUT, 3))
    x = keras.layers.Conv2D(4, 9, 9, name="block3_expand_conv")(image)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(3)(x))


def some_faces():
    random = np.random.default_rng(6)
    return Faces(
        images=random.integers(0, 256, (12, SIDE, SIDE, 3), dtype=np.uint8),
        labels=random.integers(-1, 2, (12, 3)).astype(np.int8),
        names=tuple(map(str, range(12))),
        sources=("mtfl",) * 12,
        landmarks=random.uniform(30, 90, (12, 5, 2)).astype(np.float32),
    )


class BreaksOff:
    """Pictures that cannot be read any more after so many."""

    def __init__(self, images, after):
        self._images = images
        self._left = after

    def __getitem__(self, place):
        self._left -= 1
        if self._left < 0:
            raise OSError("the disk is gone")
        return self._images[place]


def trained(work, *stops):
    """A network's weights after two epochs, in a new network after each stop at so many faces."""
    work.mkdir()
    recipe = Recipe(epochs=2, batch=4, side=INPUT, drawn=0.5, kept_every=1)
    faces = some_faces()
    targets = faces.labels.astype(np.float32)
    for stop in (*stops, None):
        keras.utils.set_random_seed(9)
        network = small_network()
        taught = faces if stop is None else replace(faces, images=BreaksOff(faces.images, stop))
        with nullcontext() if stop is None else pytest.raises(OSError, match="disk"):
            for _ in train(network, taught, targets, faces, recipe, work):
                pass
    return network.get_weights()


@pytest.mark.parametrize("stop", [5, 12, 21])
def test_a_run_that_was_stopped_ends_where_an_unbroken_one_does(tmp_path, stop):
    unbroken = trained(tmp_path / "unbroken")
    stopped = trained(tmp_path / "stopped", stop)

    for one, other in zip(unbroken, stopped, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_an_epoch_that_is_done_has_no_batch_left():
    faces, recipe = some_faces(), Recipe(batch=4, side=INPUT)

    assert len(list(batches(faces, faces.labels, recipe, epoch=0, done=2))) == 1
    assert list(batches(faces, faces.labels, recipe, epoch=0, done=3)) == []


def test_a_run_goes_on_with_its_own_recipe_and_labels_only(tmp_path):
    faces, recipe = some_faces(), Recipe(epochs=2, batch=4, side=INPUT)

    def begin(labels=faces.labels, **changes):
        told = faces.names, labels
        begin_run(told, told, replace(recipe, **changes), tmp_path)

    begin()
    begin(again=2, kept_every=7)  # a second cycle, or keeping more often, changes no step
    with pytest.raises(ValueError, match="begun with other recipe:"):
        begin(peak_rate=0.1)
    with pytest.raises(ValueError, match="other labels learnt and labels of val:"):
        begin(1 - faces.labels)
