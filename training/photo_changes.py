"""Photos made worse, to measure how much worse the answers get."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Photo: TypeAlias = NDArray[np.uint8]  # (height, width, 3), RGB
Change: TypeAlias = Callable[[Photo], Photo]


def as_it_is(photo: Photo) -> Photo:
    """No change."""
    return photo


def blurred(photo: Photo) -> Photo:
    """Out of focus."""
    return np.asarray(cv2.GaussianBlur(photo, (0, 0), 2.0), np.uint8)


def noisy(photo: Photo) -> Photo:
    """Grainy; the same photo gets the same grain."""
    noise = np.random.default_rng(int(photo.sum())).normal(0, 20, photo.shape)
    return np.clip(photo + noise, 0, 255).astype(np.uint8)


def compressed(photo: Photo) -> Photo:
    """As a JPEG of low quality."""
    _, content = cv2.imencode(".jpg", photo, (cv2.IMWRITE_JPEG_QUALITY, 20))
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)


def dark(photo: Photo) -> Photo:
    """A quarter of the light, and what a camera adds then."""
    noise = np.random.default_rng(int(photo.sum())).normal(0, 4, photo.shape)
    return np.clip(photo * 0.25 + noise, 0, 255).astype(np.uint8)


def rotated(degrees: float) -> Change:
    """Turned about its middle."""

    def turned(photo: Photo) -> Photo:
        height, width = photo.shape[:2]
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
        return np.asarray(
            cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE),
            np.uint8,
        )

    return turned


def grey(photo: Photo) -> Photo:
    """Without colours."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


CHANGES: Final[Mapping[str, Change]] = {
    "blur (sigma 2 px of 224)": blurred,
    "noise (sigma 20 of 255)": noisy,
    "JPEG quality 20": compressed,
    "a quarter of the light": dark,
    "rotated by 15 degrees": rotated(15),
    "rotated by 90 degrees": lambda photo: np.ascontiguousarray(np.rot90(photo)),
    "mirrored": lambda photo: np.ascontiguousarray(photo[:, ::-1]),
    "grey": grey,
}
