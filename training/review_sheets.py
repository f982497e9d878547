"""Contact sheets: faces with a number under each, and nothing else to go by."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

COLUMNS: Final = 8
ROWS: Final = 6
_FACE: Final = 160  # pixels a side
_CAPTION: Final = 22  # pixels below a face, for its number
_GAP: Final = 4

Image = NDArray[np.uint8]  # (height, width, 3), RGB


def sheets(faces: Sequence[Image]) -> tuple[Image, ...]:
    """All faces in order, COLUMNS * ROWS to a sheet; numbers count through, from 1."""
    many = COLUMNS * ROWS
    return tuple(_sheet(faces[at : at + many], at + 1) for at in range(0, len(faces), many))


def _sheet(faces: Sequence[Image], first: int) -> Image:
    rows = -(-len(faces) // COLUMNS)
    high, wide = _FACE + _CAPTION + _GAP, _FACE + _GAP
    sheet = np.full((rows * high + _GAP, COLUMNS * wide + _GAP, 3), 255, np.uint8)
    for place, face in enumerate(faces):
        row, column = divmod(place, COLUMNS)
        top, left = row * high + _GAP, column * wide + _GAP
        shown = cv2.resize(face, (_FACE, _FACE), interpolation=cv2.INTER_CUBIC)
        sheet[top : top + _FACE, left : left + _FACE] = shown
        corner = (left + 2, top + _FACE + _CAPTION - 5)
        cv2.putText(sheet, str(first + place), corner, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 2)
    return sheet
