"""Batches of features and sentences for the decoder to learn from."""

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.caption_corpus import END, UNKNOWN, Captioned, Vocabulary
from training.caption_stages import Batch

SENTENCES = 5  # about each photo
LENGTH = 16  # tokens learnt of a sentence: one in twelve is longer, and is cut


def encode(photos: Sequence[Captioned], vocabulary: Vocabulary) -> NDArray[np.int32]:
    """Sentences as numbers, (photos, SENTENCES, LENGTH); where there are fewer, some twice."""
    return np.stack(
        [
            [
                vocabulary.encode(words, LENGTH)
                for words in islice(cycle(photo.sentences), SENTENCES)
            ]
            for photo in photos
        ]
    )


def token_weights(words: NDArray[np.int32]) -> NDArray[np.float32]:
    """1 for words that are to be learnt, up to the first END, that included; 0 for the rest."""
    ended = np.cumsum(words == END, axis=-1)
    inside = (ended == 0) | ((ended == 1) & (words == END))
    # A model that never saw UNKNOWN as an answer need not be kept from saying it.
    wanted: NDArray[np.bool_] = inside & (words != UNKNOWN)
    return wanted.astype(np.float32)


def shuffled(
    views: NDArray[Any], words: NDArray[np.int32], batch: int, seed: tuple[int, ...]
) -> Iterator[Batch]:
    """One epoch: every photo once, as it is or mirrored by chance, with all its sentences.

    `views` (photos, 2, ...) is what is seen; `words` are encoded sentences.
    """
    for photos, seen in views_of(views, batch, seed):
        yield to_learn(seen, words[photos])


def to_learn(seen: NDArray[Any], words: NDArray[np.int32]) -> Batch:
    """A batch, weighted so that its loss is the mean over the words that count."""
    weights = token_weights(words)
    # Keras divides the loss by all tokens.
    return seen, words, weights * (weights.size / weights.sum())


def views_of(
    views: NDArray[Any], batch: int, seed: tuple[int, ...]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """The positions of photos and what is seen of them, in whole batches, in random order."""
    random = np.random.default_rng(seed)
    mirrored = random.integers(0, 2, len(views))
    order = random.permutation(len(views))
    for first in range(0, len(order) - batch + 1, batch):
        # In rising order, as a file on disk is read best.
        photos = np.sort(order[first : first + batch])
        yield photos, views[photos, mirrored[photos]].astype(np.float32)
