"""A photo on its way into a request."""

import timeit
from collections.abc import Callable

from trilens.request import build
from trilens.v1 import analysis_pb2 as pb


def seconds(work: Callable[[], object]) -> float:
    return min(timeit.repeat(work, number=1, repeat=20))


def test_a_large_photo_becomes_part_of_its_request_without_being_packed_and_unpacked() -> None:
    content = bytes(5_000_000)
    request = build(content, ())

    packing = seconds(lambda: pb.AnalyzeImageRequest.FromString(request.SerializeToString()))

    assert seconds(lambda: build(content, ())) < packing
    assert request.image.content == content
