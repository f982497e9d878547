"""Decoder: a request's Image to upright pixels, on the compute pool."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from chassis.call import Call
from chassis.compute import ComputePool
from chassis.errands import Errands
from chassis.errors import InvalidRequest, Violation
from chassis.images import ImageLimits, Photo, Pixels, decode, pixels_from_raw, shrink
from chassis.telemetry import DECODE, span
from trilens.v1 import image_pb2 as pb

_MAX_WAITING: Final = 32  # encoded photos, each up to the limit


@dataclass(frozen=True, slots=True)
class Views:
    """A decoded photo at the sizes that were asked for."""

    photo: Photo
    by_side: Mapping[int, Pixels]


class Decoder:
    """Decodes photos within limits; the event loop never waits for one."""

    def __init__(self, errands: Errands, limits: ImageLimits) -> None:
        self._errands = errands
        self._limits = limits

    async def views(self, image: pb.Image, sides: Collection[int], call: Call) -> Views:
        """The photo once for each of the longest sides asked for; decoded once, aspect kept.

        Raises InvalidRequest, InvalidImage, QueueFull, DeadlineExceeded.
        """
        read = self._reader(image, max(sides))

        def work() -> Views:
            photo = read()
            return Views(photo, {side: shrink(photo.pixels, side) for side in sides})

        with span(DECODE, call.trace):
            views: Views = await self._errands.run(work, call)
            return views

    async def pixels(self, image: pb.Image, max_side: int, call: Call) -> Pixels:
        """The photo's pixels alone; those that came decoded and small enough are used as they are.

        Raises InvalidImage, QueueFull, DeadlineExceeded.
        """
        if image.WhichOneof("source") == "pixels":
            raw = image.pixels
            pixels = pixels_from_raw(raw.width, raw.height, raw.rgb)
            if max(pixels.width, pixels.height) <= max_side:
                return pixels
        return (await self.views(image, (max_side,), call)).by_side[max_side]

    def _reader(self, image: pb.Image, max_side: int) -> Callable[[], Photo]:
        limits = self._limits
        match image.WhichOneof("source"):
            case "content":
                content = image.content
                return lambda: decode(content, max_side, limits)
            case "pixels":
                raw = image.pixels
                return lambda: _photo_of(raw, max_side)
            case _:
                raise InvalidRequest(*unusable(image))


def unusable(image: pb.Image) -> Iterator[Violation]:
    """What is wrong with an image before any of its bytes is looked at."""
    match image.WhichOneof("source"):
        case "uri":
            yield Violation("image.uri", "this server fetches no photos: send content")
        case None:
            yield Violation("image", "no photo: set content")


def size(image: pb.Image) -> int:
    """Bytes of a photo as it came."""
    return len(image.pixels.rgb if image.WhichOneof("source") == "pixels" else image.content)


def decoder(pool: ComputePool, limits: ImageLimits | None = None) -> Decoder:
    """A decoder that works on the pool."""
    return Decoder(Errands(pool, "decode", _MAX_WAITING), limits or ImageLimits())


def _photo_of(raw: pb.PixelBuffer, max_side: int) -> Photo:
    pixels = pixels_from_raw(raw.width, raw.height, raw.rgb)
    digest = hashlib.sha256(raw.rgb).digest()
    return Photo(shrink(pixels, max_side), raw.width, raw.height, "rgb", digest)
