"""The captioner's eye and decoder as one network, so that the eye learns what sentences need.

Only the eye's last blocks learn: they are half of its work and most of its weights, and what lies
below them (edges, textures) is the same whatever is said of a photo.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import cv2
import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from training.caption_batches import LENGTH, SENTENCES, to_learn
from training.caption_corpus import SIDE
from training.caption_features import scaled, seen_size, squashed
from training.caption_network import Decoder
from training.caption_sources import Corpus
from training.caption_stages import Batch
from training.photo_changes import Photo

FIRST_TO_LEARN: Final = "block11"  # where 7x7 places begin
LEAST_SEEN: Final = 0.8  # of each side of a photo
LIGHT: Final = 0.2  # by which share a photo is made brighter or darker at most


def whole(eye: keras.Model, decoder: Decoder) -> keras.Model:
    """Scaled photos and sentences to logits; of the eye only the last blocks can learn."""
    learns = False
    for layer in eye.layers:
        learns = learns or layer.name.startswith(FIRST_TO_LEARN)
        # Statistics of a few photos at a time would only blur those of ImageNet.
        layer.trainable = learns and not isinstance(layer, layers.BatchNormalization)
    images = keras.Input((SIDE, SIDE, 3))
    words = keras.Input((SENTENCES, LENGTH), dtype="int32")
    places = layers.Reshape(seen_size(eye))(eye(images))
    return keras.Model((images, words), decoder(places, words))


def varied_batches(
    corpus: Corpus, words: NDArray[np.int32], batch: int, seed: tuple[int, ...]
) -> Iterator[Batch]:
    """One epoch: every photo once, a little different each time, with all its sentences.

    `words` are the encoded sentences of the corpus.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(corpus.photos))
    pixels = corpus.pixels([corpus.names[place] for place in order])
    for first in range(0, len(order) - batch + 1, batch):
        seen = [varied(squashed(photo), random) for photo in islice(pixels, batch)]
        yield to_learn(scaled(np.stack(seen)), words[order[first : first + batch]])


def varied(photo: Photo, random: np.random.Generator) -> Photo:
    """Most of a photo, perhaps mirrored, a little brighter or darker: the sentences stay true."""
    height, width = random.integers(int(LEAST_SEEN * SIDE), SIDE + 1, 2)
    top, left = random.integers(0, SIDE - height + 1), random.integers(0, SIDE - width + 1)
    seen = cv2.resize(photo[top : top + height, left : left + width], (SIDE, SIDE))
    if random.integers(2):
        seen = seen[:, ::-1]
    lit: Photo = np.clip(seen * random.uniform(1 - LIGHT, 1 + LIGHT), 0, 255).astype(np.uint8)
    return lit
