"""Errors as callers get them: google.rpc.Status, bounded."""

from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import (
    MAX_STATUS_BYTES,
    DeadlineExceeded,
    Internal,
    InvalidImage,
    InvalidRequest,
    ModelFailed,
    NotReady,
    QueueFull,
    TrilensError,
    Violation,
    rpc_code,
)

CODE = grpc.StatusCode


def unpacked(error: TrilensError, kind: type) -> object:
    """The one detail of that kind."""
    found = [detail for detail in error.status().details if detail.Is(kind.DESCRIPTOR)]
    (packed,) = found
    message = kind()
    packed.Unpack(message)
    return message


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (InvalidRequest(Violation("f", "d")), CODE.INVALID_ARGUMENT, "INVALID_REQUEST"),
        (InvalidImage("truncated"), CODE.INVALID_ARGUMENT, "INVALID_IMAGE"),
        (QueueFull("full", timedelta(1)), CODE.RESOURCE_EXHAUSTED, "QUEUE_FULL"),
        (NotReady("loading"), CODE.UNAVAILABLE, "NOT_READY"),
        (DeadlineExceeded("late"), CODE.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        (ModelFailed("broken"), CODE.INTERNAL, "MODEL_FAILED"),
        (Internal(), CODE.INTERNAL, "INTERNAL"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_error_has_its_code_and_reason(
    error: TrilensError, code: grpc.StatusCode, reason: str
) -> None:
    status = error.status()

    assert status.code == code.value[0]
    assert status.message == str(error)
    info = unpacked(error, error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain) == (reason, "trilens")


def test_a_full_queue_says_when_to_come_back() -> None:
    retry = unpacked(QueueFull("full", timedelta(seconds=1.5)), error_details_pb2.RetryInfo)

    assert retry.retry_delay.ToTimedelta() == timedelta(seconds=1.5)


def test_every_violation_is_told_with_its_field() -> None:
    error = InvalidRequest(Violation("a.b", "is wrong"), Violation("c", "too"))

    request = unpacked(error, error_details_pb2.BadRequest)

    assert [(one.field, one.description) for one in request.field_violations] == [
        ("a.b", "is wrong"),
        ("c", "too"),
    ]
    assert str(error) == "a.b: is wrong; c: too"


def test_more_violations_than_there_is_room_for_are_counted() -> None:
    error = InvalidRequest(*(Violation(f"field[{n}]", "is wrong " * 9) for n in range(100)))

    told = unpacked(error, error_details_pb2.BadRequest).field_violations

    assert 10 < len(told) < 100
    assert told[-1].description == f"and {100 - len(told) + 1} more"


@given(st.lists(st.tuples(st.text(max_size=2000), st.text(max_size=2000)), max_size=30))
def test_whatever_a_caller_sent_comes_back_small_enough_for_trailers(
    texts: list[tuple[str, str]],
) -> None:
    texts = [
        (field.encode(errors="ignore").decode(), text.encode(errors="ignore").decode())
        for field, text in texts
    ]
    error = InvalidRequest(*(Violation(field, text) for field, text in texts))

    status = error.status()

    assert status.ByteSize() <= MAX_STATUS_BYTES
    assert len(status.message.encode()) <= 512
    assert status.details[0].Is(error_details_pb2.ErrorInfo.DESCRIPTOR)
    assert status.details[1].Is(error_details_pb2.BadRequest.DESCRIPTOR)


def test_our_own_fault_says_nothing_else() -> None:
    assert Internal().status().message == "internal error"


def test_every_code_of_grpc_has_its_number() -> None:
    assert [rpc_code(code) for code in grpc.StatusCode] == [
        code.value[0] for code in grpc.StatusCode
    ]
