"""What the encoder sees in each photo: it is not trained, so that is computed once and kept."""

from pathlib import Path
from typing import cast

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training import lite0
from training.caption_corpus import SIDE, read_photos, read_split

BATCH = 32

Features = NDArray[np.float16]


def sight() -> keras.Model:
    """Scaled photos (224, 224, 3) to maps (7, 7, 1280); ImageNet weights."""
    network = lite0.lite0((SIDE, SIDE, 3), include_top=False)
    weights = lite0.imagenet_weights()
    del weights["logits"]
    lite0.load_weights(network, weights)
    return network


def features(root: Path, cache: Path, split: str) -> Features:
    """Features of every photo of a split, (photos, 2, 49, 1280): as it is, then mirrored.

    In the order of `read_split`; computed if `cache` does not hold them yet.
    """
    path = cache / f"features-{split}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _compute(root, split, path)
    return cast("Features", np.load(path))


def _compute(root: Path, split: str, path: Path) -> None:
    names = [photo.photo for photo in read_split(root, split)]
    network = sight()
    _, rows, columns, channels = network.output.shape
    unfinished = path.with_suffix(".part")
    found = np.lib.format.open_memmap(
        unfinished, "w+", np.float16, (len(names), 2, rows * columns, channels)
    )
    batch: list[NDArray[np.uint8]] = []
    done = 0
    for photo in tqdm(read_photos(root, split, names), f"{split} features", len(names)):
        batch.append(photo)
        if len(batch) == BATCH or done + len(batch) == len(names):
            pixels = (np.stack(batch).astype(np.float32) - lite0.MEAN) / lite0.STD
            for side, view in enumerate((pixels, pixels[:, :, ::-1])):
                maps = network.predict_on_batch(view)
                found[done : done + len(batch), side] = maps.reshape(len(batch), -1, channels)
            done += len(batch)
            batch.clear()
    found.flush()
    unfinished.rename(path)
