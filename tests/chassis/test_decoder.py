"""The decoder: a request's Image to pixels, off the event loop."""

import asyncio
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from chassis.compute import ComputePool
from chassis.decoder import Decoder, decoder
from chassis.errors import DeadlineExceeded, InvalidImage, InvalidRequest
from chassis.images import ImageLimits
from tests.harness import a_call, a_photo
from trilens.v1.image_pb2 import Image, PixelBuffer


@pytest.fixture
def pool() -> Iterator[ComputePool]:
    pool = ComputePool(slots=1, lend_after=60)
    yield pool
    pool.close()


@pytest.fixture
def decoding(pool: ComputePool) -> Decoder:
    return decoder(pool)


def raw(width: int, height: int) -> Image:
    rgb = np.arange(width * height * 3, dtype=np.uint32).astype(np.uint8).tobytes()
    return Image(pixels=PixelBuffer(width=width, height=height, rgb=rgb))


async def test_a_photo_is_decoded_once_for_every_size_asked_for(decoding: Decoder) -> None:
    views = await decoding.views(a_photo(), {64, 200}, a_call())

    sizes = {side: (one.width, one.height) for side, one in views.by_side.items()}
    assert {side: max(size) for side, size in sizes.items()} == {64: 64, 200: 200}
    assert views.photo.format == "jpeg"
    assert max(views.photo.pixels.width, views.photo.pixels.height) == 200
    ratio = views.photo.width / views.photo.height
    assert all(width / height == pytest.approx(ratio, rel=0.02) for width, height in sizes.values())


async def test_encoded_and_raw_photos_give_the_same_pixels(decoding: Decoder) -> None:
    encoded = await decoding.pixels(a_photo(), 200, a_call())
    buffer = PixelBuffer(width=encoded.width, height=encoded.height, rgb=encoded.array.tobytes())

    given = await decoding.pixels(Image(pixels=buffer), 200, a_call())

    assert np.array_equal(given.array, encoded.array)


async def test_small_raw_pixels_are_used_as_they_are_without_a_thread(pool: ComputePool) -> None:
    pool.close()  # nothing would run

    pixels = await decoder(pool).pixels(raw(5, 3), 64, a_call())

    assert pixels.array.shape == (3, 5, 3)
    assert not pixels.array.flags.writeable


async def test_raw_pixels_that_are_too_many_are_reduced(decoding: Decoder) -> None:
    pixels = await decoding.pixels(raw(100, 50), 20, a_call())

    assert (pixels.width, pixels.height) == (20, 10)


async def test_raw_pixels_know_their_own_size_and_digest(decoding: Decoder) -> None:
    views = await decoding.views(raw(100, 50), {20}, a_call())

    photo = views.photo
    assert (photo.width, photo.height, photo.format) == (100, 50, "rgb")
    assert len(photo.sha256) == 32


@pytest.mark.parametrize(
    ("image", "field"),
    [
        (Image(), "image"),
        (Image(uri="https://example.org/photo.jpg"), "image.uri"),
        (Image(content=b""), "image.content"),
        (Image(content=b"no photo"), "image.content"),
        (Image(pixels=PixelBuffer(width=0, height=1)), "image.pixels"),
        (Image(pixels=PixelBuffer(width=2, height=2, rgb=b"short")), "image.pixels.rgb"),
    ],
    ids=["nothing", "uri", "empty", "noise", "no pixels", "too few bytes"],
)
async def test_what_is_no_photo_is_refused_by_field(
    image: Image, field: str, decoding: Decoder
) -> None:
    asked = (decoding.views(image, {64}, a_call()), decoding.pixels(image, 64, a_call()))
    for waiting in asked:
        with pytest.raises(InvalidRequest) as refusal:
            await waiting
        assert [one.field for one in refusal.value.violations] == [field]


async def test_the_limits_are_the_deployments(pool: ComputePool) -> None:
    small = decoder(pool, ImageLimits(max_bytes=100))

    with pytest.raises(InvalidImage, match="more than the 100 allowed"):
        await small.pixels(a_photo(), 64, a_call())


async def test_the_event_loop_turns_while_a_photo_waits_and_the_caller_may_run_out_of_time(
    pool: ComputePool, decoding: Decoder
) -> None:
    gate = threading.Event()
    busy = asyncio.create_task(decoder(pool)._errands.run(gate.wait, a_call()))
    await asyncio.sleep(0)

    with pytest.raises(DeadlineExceeded):
        await decoding.pixels(a_photo(), 64, a_call(0.02))

    gate.set()
    await busy
