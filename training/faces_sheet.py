"""A picture of what training shows the network, to see whether labels still hold."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.faces_augment import augmented, reframed
from training.faces_data import Faces
from training.faces_sunglasses import can_wear, with_sunglasses

_SIDE: Final = 112
_VARIANTS: Final = 9
_ROWS: Final = 3  # of each kind


def write_sheet(faces: Faces, path: Path, seed: int) -> None:
    """Rows of a face and its variants, source by source; then sunglasses drawn, and real ones."""
    rng = np.random.default_rng(seed)
    rows = []
    for source in sorted(set(faces.sources)):
        for place in _some(np.array(faces.sources) == source, _ROWS, rng):
            face = faces.images[place]
            variants = [augmented(face, _SIDE, rng) for _ in range(_VARIANTS)]
            rows.append(np.hstack([reframed(face, _SIDE), *variants]))
    wide = _ROWS * (_VARIANTS + 1)
    drawn = [
        with_sunglasses(faces.images[place], faces.landmarks[place], rng)
        for place in _some(can_wear(faces.labels, faces.landmarks), wide, rng)
    ]
    real = [faces.images[place] for place in _some(faces.labels[:, 1] == 1, wide, rng)]
    for images in (drawn, real):
        cells = np.stack([reframed(image, _SIDE) for image in images])
        rows += [np.hstack(list(row)) for row in np.split(cells, _ROWS)]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def _some(chosen: NDArray[np.bool_], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return rng.choice(np.flatnonzero(chosen), count, replace=False)
