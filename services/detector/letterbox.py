"""A photo of any shape in a network's input, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_GREY: Final = 114  # what the network saw around its photos in training


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where in an input of `width` x `height` pixels the whole photo lies, its aspect kept."""

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def fit(cls, photo: NDArray[np.uint8], width: int, height: int) -> Letterbox:
        """Centres the photo, as large as it fits; at least one pixel each way."""
        scale = min(width / photo.shape[1], height / photo.shape[0])
        inner_width = max(1, round(photo.shape[1] * scale))
        inner_height = max(1, round(photo.shape[0] * scale))
        return cls(
            left=(width - inner_width) // 2,
            top=(height - inner_height) // 2,
            width=inner_width,
            height=inner_height,
        )

    def tight(self, stride: int) -> tuple[int, int]:
        """Width and height of the smallest input that holds it, multiples of `stride`."""
        return -(-self.width // stride) * stride, -(-self.height // stride) * stride

    def within(self, width: int, height: int) -> Letterbox:
        """As large as it is, in the middle of an input of another shape."""
        return replace(self, left=(width - self.width) // 2, top=(height - self.height) // 2)

    def draw(self, photo: NDArray[np.uint8], canvas: NDArray[np.uint8]) -> None:
        """Draws the photo on a canvas of the input's shape (height, width, 3), grey around it."""
        smaller = self.width * self.height < photo.shape[0] * photo.shape[1]
        canvas[:] = _GREY
        canvas[self.top : self.top + self.height, self.left : self.left + self.width] = cv2.resize(
            photo,
            (self.width, self.height),
            interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR,
        )

    def normalise(self, edges: NDArray[np.float32]) -> NDArray[np.float32]:
        """Boxes (n, 4) from pixels of the input to fractions of the photo, clipped to it."""
        origin = np.array([self.left, self.top] * 2, dtype=np.float32)
        size = np.array([self.width, self.height] * 2, dtype=np.float32)
        fractions: NDArray[np.float32] = np.clip((edges - origin) / size, 0, 1)
        return fractions
