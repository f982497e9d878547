"""The square around a face: what the attributes network is taught to see, and sees."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.classifier.squares import Image, cut

FRAME: Final = 3.1  # side of the square, in the larger of the face's two distances


def face_window(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """The square's edges in pixels of the photo, (4,): left, top, right, bottom.

    Around the point between eyes and mouth, FRAME times as wide as the eyes are apart or from the
    mouth, whichever is more: so that a profile is not framed too tightly.
    """
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    apart = float(np.hypot(*(landmarks[0] - landmarks[1])))
    half = FRAME * max(apart, float(np.hypot(*(eyes - mouth)))) / 2
    centre = (eyes + mouth) / 2
    return np.concatenate([centre - half, centre + half])


def face_crop(photo: Image, landmarks: NDArray[np.float32], side: int) -> Image:
    """The square's content: (side, side, 3), borders repeated outside the photo."""
    return cut(photo, face_window(landmarks), side)
