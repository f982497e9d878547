"""The attributes network's loss and its way on after a stop."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="Keras is installed for training only")
pytest.importorskip("tqdm", reason="tqdm is installed for training only")

from training.faces_data import SIDE, UNKNOWN, Faces  # noqa: E402 (needs Keras)
from training.faces_network import losses  # noqa: E402
from training.faces_training import Recipe, figures, train  # noqa: E402

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


def trained(work, stops):
    """A network's weights after two epochs, in a new network after each of the `stops`."""
    work.mkdir()
    recipe = Recipe(epochs=2, batch=4, side=INPUT, drawn=0.5)
    faces = some_faces()
    for stop in (*stops, 2):
        keras.utils.set_random_seed(9)
        network = small_network()
        for found in train(network, faces, faces.labels.astype(np.float32), faces, recipe, work):
            if found["epoch"] == stop:
                break
    return network.get_weights()


def test_a_run_that_was_stopped_ends_where_an_unbroken_one_does(tmp_path):
    unbroken = trained(tmp_path / "unbroken", stops=())
    stopped = trained(tmp_path / "stopped", stops=(1,))

    for one, other in zip(unbroken, stopped, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
