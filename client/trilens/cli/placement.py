"""Where labels go in a picture, so that they can be read: pure geometry, in pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rectangle:
    """An upright rectangle; left < right and top < bottom."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def area(self) -> float:
        """In square pixels."""
        return (self.right - self.left) * (self.bottom - self.top)

    def within(self, other: "Rectangle") -> bool:
        """Whether no part of this lies outside the other."""
        return (
            other.left <= self.left
            and other.top <= self.top
            and self.right <= other.right
            and self.bottom <= other.bottom
        )

    def shared(self, other: "Rectangle") -> float:
        """Square pixels that both cover."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, width) * max(0.0, height)


def place(
    boxes: Sequence[Rectangle],
    sizes: Sequence[tuple[float, float]],
    canvas: Rectangle,
    keep_clear: Sequence[Rectangle] = (),
) -> tuple[Rectangle | None, ...]:
    """A place at each box for its label of (width, height); None where there is no room.

    No two places overlap, and none leaves the canvas. Earlier boxes choose first. Of the places
    free, a label takes the one that covers least of `keep_clear`, then the most usual one.
    """
    taken: list[Rectangle] = []
    places: list[Rectangle | None] = []
    for box, (width, height) in zip(boxes, sizes, strict=True):
        free = [
            candidate
            for candidate in _around(box, width, height)
            if candidate.within(canvas) and not any(candidate.shared(other) for other in taken)
        ]
        # min is stable: of equals it takes the first, and _around gives the usual ones first
        best = min(free, key=lambda spot: sum(map(spot.shared, keep_clear)), default=None)
        places.append(best)
        if best is not None:
            taken.append(best)
    return tuple(places)


def _around(box: Rectangle, width: float, height: float) -> Iterator[Rectangle]:
    rightmost = box.right - width
    lowest = box.bottom - height
    corners = (
        (box.left, box.top - height),  # above
        (rightmost, box.top - height),
        (box.left, box.bottom),  # below
        (rightmost, box.bottom),
        (box.left, box.top),  # inside
        (rightmost, box.top),
        (box.left, lowest),
        (rightmost, lowest),
        (box.right, box.top),  # beside
        (box.left - width, box.top),
        (box.right, lowest),
        (box.left - width, lowest),
    )
    for left, top in corners:
        yield Rectangle(left, top, left + width, top + height)
    # then anywhere along the left and the right edge, inside
    steps = int((box.bottom - box.top) // height)
    for step in range(1, steps):
        top = box.top + step * height
        yield Rectangle(box.left, top, box.left + width, top + height)
        yield Rectangle(rightmost, top, rightmost + width, top + height)
