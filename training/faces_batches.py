"""What a network is shown: an epoch's faces, drawn, varied, and made into batches in time."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.faces_augment import augmented, reframed
from training.faces_data import Faces
from training.faces_network import prepared
from training.faces_recipe import Recipe
from training.faces_sunglasses import as_sunglasses, can_wear, with_sunglasses

_SHARE: Final = {"smilesmiled": 0.4}  # of a source's faces in an epoch: coarse and grey

Targets = NDArray[np.float32]  # (faces, labels): a probability or UNKNOWN
Batch = tuple[NDArray[np.float32], Targets]


def steps_of(faces: Faces, recipe: Recipe) -> int:
    """Batches in an epoch."""
    return round(sum(_SHARE.get(source, 1.0) for source in faces.sources)) // recipe.batch


def batches(
    faces: Faces, targets: Targets, recipe: Recipe, epoch: int, done: int
) -> Iterator[Batch]:
    """Yields an epoch's varied batches but the first `done`, each made while the last one trains.

    A batch has random numbers of its own, so that those before it need not be made again.
    """
    order = _drawn(faces, recipe, epoch)
    wearers = can_wear(faces.labels, faces.landmarks)
    side = recipe.side

    def example(place: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Targets]:
        image, wanted = faces.images[place], targets[place]
        if wearers[place] and rng.random() < recipe.drawn:
            image = with_sunglasses(image, faces.landmarks[place], rng)
            wanted = as_sunglasses(wanted)
        if recipe.varied:
            return augmented(image, side, rng), wanted
        return reframed(image, side), wanted

    def batch(step: int) -> Batch:
        rng = np.random.default_rng((recipe.seed, epoch, step))
        images, wanted = zip(*(example(place, rng) for place in order[step]), strict=True)
        return prepared(np.stack(images)), np.stack(wanted)

    # One thread is enough: a face is varied in a twentieth of the time that it is learnt in.
    with ThreadPoolExecutor(max_workers=1) as pool:
        coming: Future[Batch] | None = None
        for step in range(done, len(order)):
            ready, coming = coming, pool.submit(batch, step)
            if ready is not None:
                yield ready.result()
        if coming is not None:
            yield coming.result()


def _drawn(faces: Faces, recipe: Recipe, epoch: int) -> NDArray[np.int64]:
    """The places of an epoch's faces, a row for each batch."""
    shares = np.array([_SHARE.get(source, 1.0) for source in faces.sources])
    count = steps_of(faces, recipe) * recipe.batch
    rng = np.random.default_rng((recipe.seed, epoch))
    chosen = rng.choice(len(shares), count, replace=False, p=shares / shares.sum())
    return chosen.reshape(-1, recipe.batch)
