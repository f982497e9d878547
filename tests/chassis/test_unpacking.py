"""Requests that are no messages, or that would be far larger in memory than on the wire."""

from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import InvalidRequest
from chassis.server import serving
from chassis.unpacking import MOST_PARTS, unpacking
from tests.fakes import FakeModel
from tests.harness import LOOPBACK, a_photo, model_app, ready, server_settings
from tests.statuses import status_of, violations
from trilens.v1 import analysis_pb2, detector_pb2, image_pb2

FIND = "/trilens.v1.DetectorService/DetectObjects"

# Fields of AnalyzeImageRequest and of the messages within: tag, length, what is in it.
EMPTY_FEATURE = b"\x12\x00"
PADDING = b"\x0a\x82\x80\x04\x0a\xfe\xff\x03" + bytes(65_534)  # a photo of 64 KiB

unpacked = unpacking(analysis_pb2.AnalyzeImageRequest.FromString)


def refusal(data: bytes) -> str:
    found = unpacked(data)
    assert isinstance(found, InvalidRequest), found
    return str(found)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (EMPTY_FEATURE * 20_000_000, "more than 20,000 fields"),
        # labels, within options, within a feature
        (b"\x12\xc4\x9a\x0c\x2a\xc0\x9a\x0c" + b"\x1a\x00" * 100_000, "more than 20,000 fields"),
        (b"\x0a\x00" * 100_000, "more than 20,000 fields"),  # one field over and over
        (b"\xf8\x07\x01" * 100_000, "more than 20,000 fields"),  # a field that none of ours is
        (b"\x13" + EMPTY_FEATURE * 100_000 + b"\x14", "is a group"),
    ],
    ids=["features", "labels", "photos", "unknown", "group"],
)
def test_what_would_be_large_in_memory_is_refused_before_it_is_unpacked(
    data: bytes, why: str
) -> None:
    assert why in refusal(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 10,
        PADDING + b"\xff" * 100_000,
        PADDING + b"\x12",
        PADDING + b"\x12\x7f",
        PADDING + b"\x0d\x00",
        b"\x0a\xff\xff\xff\xff\x07" + bytes(70_000),
        b"\x1a\x02\xff\xff",  # an id that is no text
    ],
    ids=["noise", "a number", "a length", "a feature", "fixed", "two gigabytes", "no text"],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    assert refusal(data).startswith("request: cannot be read as trilens.v1.AnalyzeImageRequest")


@given(
    content=st.binary(max_size=100),
    names=st.lists(st.text(max_size=20), max_size=8),
    labels=st.lists(st.text(max_size=20), max_size=8),
    thresholds=st.dictionaries(st.text(max_size=20), st.floats(0, 1, width=32), max_size=8),
)
def test_every_message_is_what_it_was(
    content: bytes, names: list[str], labels: list[str], thresholds: dict[str, float]
) -> None:
    options = detector_pb2.DetectionOptions(
        allow_labels=labels, label_thresholds=thresholds, max_objects=2**32 - 1
    )
    request = analysis_pb2.AnalyzeImageRequest(
        image=image_pb2.Image(content=content + bytes(70_000)),
        features=[analysis_pb2.FeatureRequest(feature=name, detection=options) for name in names],
        request_id="mine",
    )

    assert unpacked(request.SerializeToString()) == request


def test_as_many_parts_as_are_allowed_are_unpacked() -> None:
    request = unpacked(PADDING + EMPTY_FEATURE * (MOST_PARTS - 2))

    assert isinstance(request, analysis_pb2.AnalyzeImageRequest)
    assert len(request.features) == MOST_PARTS - 2


async def test_a_caller_is_told_what_is_wrong_with_the_message_and_others_are_answered() -> None:
    async with serving(server_settings(), model_app(FakeModel())) as ports:
        channel = grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.grpc}")
        await ready(channel)
        find: Any = channel.unary_unary(FIND)
        for data, why in (
            (b"\x12\x00" * 1_000_000, "has more than 20,000 fields, with those within fields"),
            (b"\xff", "cannot be read as trilens.v1.DetectObjectsRequest"),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await find(data, timeout=10)
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert violations(status_of(refused.value))["request"].startswith(why)

        request = detector_pb2.DetectObjectsRequest(image=a_photo()).SerializeToString()
        assert await find(request, timeout=10)
        await channel.close()
