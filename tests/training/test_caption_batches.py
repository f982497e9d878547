"""What the decoder learns from: whole batches, and only what counts of each sentence."""

import numpy as np
import pytest

pytest.importorskip("keras", reason="Keras is only in the training environment")

from training.caption_batches import shuffled, token_weights, views_of
from training.caption_corpus import END, UNKNOWN


def test_a_sentence_counts_up_to_its_end_but_for_unknown_words():
    words = np.array([[5, UNKNOWN, 6, END, END], [5, 6, 7, 8, 9]], np.int32)

    assert token_weights(words).tolist() == [[1, 0, 1, 1, 0], [1, 1, 1, 1, 1]]


def test_an_epoch_shows_every_photo_once_as_it_is_or_mirrored():
    views = np.arange(16, dtype=np.float16).reshape(8, 2, 1)
    epoch = list(views_of(views, 4, (1, 2)))

    shown = np.concatenate([photos for photos, _ in epoch])
    seen = np.concatenate([seen for _, seen in epoch])[:, 0]
    assert sorted(shown) == list(range(8))
    assert ((seen == 2 * shown) | (seen == 2 * shown + 1)).all()
    assert 0 < (seen % 2).sum() < 8


def test_a_seed_gives_the_same_epoch_again_and_another_seed_another():
    views = np.arange(32, dtype=np.float16).reshape(16, 2, 1)

    one, same, other = (
        [seen.tolist() for _, seen in views_of(views, 4, seed)] for seed in ((1,), (1,), (2,))
    )

    assert one == same != other


def test_the_weights_of_a_batch_make_the_loss_the_mean_over_words_that_count():
    views = np.zeros((4, 2, 1), np.float16)
    words = np.array([[[5, END, END, END]]] * 4, np.int32)

    ((_, _, weights),) = shuffled(views, words, 4, (0,))

    assert weights.mean() == pytest.approx(1)
