"""What the encoder sees in each photo: while it is not trained, that is computed once and kept."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import cv2
import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training import lite0
from training.caption_corpus import SIDE
from training.caption_sources import Corpus
from training.photo_changes import Photo

BATCH: Final = 32

Features: TypeAlias = NDArray[np.float16]
Floats: TypeAlias = NDArray[np.float32]


def sight() -> keras.Model:
    """Scaled photos (224, 224, 3) to maps (7, 7, 1280); ImageNet weights."""
    network = lite0.lite0((SIDE, SIDE, 3), include_top=False)
    weights = lite0.imagenet_weights()
    del weights["logits"]
    lite0.load_weights(network, weights)
    return network


def seen_size(eye: keras.Model) -> tuple[int, int]:
    """Places and channels of what is seen."""
    _, rows, columns, channels = eye.output.shape
    return rows * columns, channels


def squashed(photo: Photo) -> Photo:
    """A photo of the encoder's shape, as the service makes it."""
    if photo.shape[:2] == (SIDE, SIDE):
        return photo
    return np.asarray(cv2.resize(photo, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def scaled(photos: Photo) -> Floats:
    """Pixels as the encoder takes them."""
    return (photos.astype(np.float32) - lite0.MEAN) / lite0.STD


def look(eye: keras.Model, photos: Iterable[Photo]) -> Iterator[Floats]:
    """What is seen, (places, channels) for each photo."""
    rest = iter(photos)
    while batch := tuple(islice(rest, BATCH)):
        maps = eye.predict_on_batch(scaled(np.stack([squashed(photo) for photo in batch])))
        yield from np.asarray(maps).reshape(len(batch), *seen_size(eye))


def features(corpus: Corpus, path: Path, eye: keras.Model) -> Features:
    """What is seen of every photo, (photos, 2, places, channels): as it is, then mirrored.

    Computed if the file `path` is not there yet.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        _compute(corpus, path, eye)
    return cast("Features", np.load(path))


def _compute(corpus: Corpus, path: Path, eye: keras.Model) -> None:
    unfinished = path.with_suffix(".part")
    shape = len(corpus.photos), 2, *seen_size(eye)
    found: Any = np.lib.format.open_memmap(unfinished, "w+", np.float16, shape)
    photos = tqdm(corpus.pixels(corpus.names), path.stem, len(corpus.photos))
    both = (view for photo in photos for view in (photo, photo[:, ::-1]))
    for place, seen in enumerate(look(eye, both)):
        found[place // 2, place % 2] = seen
    found.flush()
    unfinished.rename(path)
