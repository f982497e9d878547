"""Square windows on a photo: many at once, and what lies in one."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Windows = NDArray[np.float32]  # (n, 4): left, top, right, bottom in pixels, continuous, from 0
Image = NDArray[np.uint8]  # (height, width, 3)

_MOST_SAMPLED: Final = 8  # a cut takes at most this many rows per row that it gives


def squared(windows: Windows) -> Windows:
    """The smallest square around each window, its centre kept."""
    size = (windows[:, 2:] - windows[:, :2]).max(axis=1, keepdims=True)
    centre = (windows[:, 2:] + windows[:, :2]) / 2
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)


def cut(photo: Image, window: NDArray[np.float32], side: int) -> Image:
    """A square window's content scaled to (side, side, 3); borders repeat outside the photo."""
    left, top = np.floor(window[:2]).astype(int)
    size = max(1, round(float(window[2] - window[0])))
    height, width = photo.shape[:2]
    if left >= 0 and top >= 0 and left + size <= width and top + size <= height:
        inside = photo[top : top + size, left : left + size]
    else:
        # Steps bound what a window far larger than its photo costs.
        steps = np.arange(0, size, max(1, size // (_MOST_SAMPLED * side)))
        rows = np.clip(top + steps, 0, height - 1)
        columns = np.clip(left + steps, 0, width - 1)
        inside = photo[rows[:, None], columns]
    shrinks = inside.shape[0] > side
    return np.asarray(
        cv2.resize(
            inside, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        ),
        np.uint8,
    )


def suppress(
    windows: Windows,
    scores: NDArray[np.float32],
    most: int,
    overlap: float,
    *,
    nested: bool = False,
) -> NDArray[np.int64]:
    """Places of the windows to keep, best first: none overlaps a better one too far.

    Looks at the `most` best only, so that time is bounded. Overlap is intersection over union,
    or with `nested` over the smaller window, so that a window within another goes too.
    """
    order = np.argsort(-scores, kind="stable")[:most]
    chosen = windows[order]
    area = (chosen[:, 2] - chosen[:, 0]) * (chosen[:, 3] - chosen[:, 1])
    near = np.maximum(chosen[:, None, :2], chosen[None, :, :2])
    far = np.minimum(chosen[:, None, 2:], chosen[None, :, 2:])
    shared = np.clip(far - near, 0, None).prod(axis=2)
    whole = np.minimum(area[:, None], area) if nested else area[:, None] + area - shared
    too_far = shared > overlap * whole
    alive = np.ones(len(order), bool)
    for place in range(len(order)):
        if alive[place]:
            alive[place + 1 :] &= ~too_far[place, place + 1 :]
    return order[alive]
