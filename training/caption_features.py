"""What the frozen part of the encoder sees in each photo, computed once and kept on disk."""

from pathlib import Path
from typing import cast

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from training import lite0
from training.caption_corpus import SIDE, read_photos, read_split

FROZEN = "block10_add"  # the last layer that is never trained: (14, 14, 112)
BATCH = 32

Maps = NDArray[np.float16]


def frozen_maps(root: Path, cache: Path, split: str) -> Maps:
    """Maps of every photo of a split, (photos, 2, 14, 14, 112): as it is, then mirrored.

    Computed when `cache` does not hold them yet; memory-mapped, in the order of `read_split`.
    """
    path = cache / f"maps-{split}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _compute(root, split, path)
    return cast("Maps", np.load(path, mmap_mode="r"))


def trunk() -> keras.Model:
    """Scaled photos (224, 224, 3) to the maps of FROZEN; ImageNet weights."""
    whole = lite0.lite0((SIDE, SIDE, 3), include_top=False)
    lite0.load_weights(whole, lite0.imagenet_weights())
    return keras.Model(whole.input, whole.get_layer(FROZEN).output, name="trunk")


def _compute(root: Path, split: str, path: Path) -> None:
    names = [photo.photo for photo in read_split(root, split)]
    network = trunk()
    unfinished = path.with_suffix(".part")
    maps = np.lib.format.open_memmap(
        unfinished, "w+", np.float16, (len(names), 2, *network.output.shape[1:])
    )
    batch: list[NDArray[np.uint8]] = []
    done = 0
    for photo in tqdm(read_photos(root, split, names), f"{split} maps", len(names)):
        batch.append(photo)
        if len(batch) == BATCH or done + len(batch) == len(names):
            pixels = (np.stack(batch).astype(np.float32) - lite0.MEAN) / lite0.STD
            for side, view in enumerate((pixels, pixels[:, :, ::-1])):
                maps[done : done + len(batch), side] = network.predict_on_batch(view)
            done += len(batch)
            batch.clear()
    maps.flush()
    unfinished.rename(path)
