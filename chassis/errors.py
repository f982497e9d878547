"""Errors a caller may see: each knows its gRPC code and its machine-readable reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import grpc
from google.protobuf import any_pb2, message
from google.rpc import code_pb2, error_details_pb2, status_pb2

DOMAIN: Final = "trilens"
# Trailers of 9 to 12 KB fail at random and 16 KB always (tried with grpcio 1.85), so an error with
# all its details stays well below.
MAX_STATUS_BYTES: Final = 4096
# Cut in bytes, since gRPC sends a message percent-encoded: up to three times as long.
MAX_MESSAGE_BYTES: Final = 512
# Leaves the message and the other details their room below MAX_STATUS_BYTES.
_MAX_VIOLATION_BYTES: Final = 3072


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with a request: the field's path and what is wrong with it."""

    field: str
    description: str


class TrilensError(Exception):
    """The base: `code` and `reason` say what it is, the text says it to people."""

    code: grpc.StatusCode = grpc.StatusCode.INTERNAL
    reason: str = "INTERNAL"

    def details(self) -> tuple[message.Message, ...]:
        """Further google.rpc details beside the ErrorInfo."""
        return ()

    def status(self) -> status_pb2.Status:
        """This error as google.rpc.Status: at most MAX_STATUS_BYTES, ErrorInfo first."""
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN)
        status = status_pb2.Status(code=rpc_code(self.code), message=_shortened(str(self)))
        for detail in (info, *self.details()):
            packed = any_pb2.Any()
            packed.Pack(detail)
            if status.ByteSize() + packed.ByteSize() < MAX_STATUS_BYTES:
                status.details.append(packed)
        return status


class InvalidRequest(TrilensError):
    """A request that can never succeed as it is; names every violation at once."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_REQUEST"

    def __init__(self, *violations: Violation) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations))
        self.violations = violations

    def details(self) -> tuple[message.Message, ...]:
        """The violations, as a BadRequest."""
        return (bad_request(self.violations),)


class InvalidImage(InvalidRequest):
    """A photo that cannot be decoded, or that is too large to be."""

    reason = "INVALID_IMAGE"

    def __init__(self, description: str, field: str = "image.content") -> None:
        super().__init__(Violation(field, description))


class QueueFull(TrilensError):
    """More work than this process takes at once; `retry_after` says when to try again."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "QUEUE_FULL"

    def __init__(self, description: str, retry_after: timedelta) -> None:
        super().__init__(description)
        self.retry_after = retry_after

    def details(self) -> tuple[message.Message, ...]:
        """When to try again, as RetryInfo."""
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(self.retry_after)
        return (retry,)


class NotReady(TrilensError):
    """This process loads, drains or lost its device; another replica, or a later try, answers."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "NOT_READY"


class DeadlineExceeded(TrilensError):
    """The caller's time ran out before the answer was there."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class ModelFailed(TrilensError):
    """The model could not predict this photo; the log says why, the caller need not know."""

    code = grpc.StatusCode.INTERNAL
    reason = "MODEL_FAILED"


class Internal(TrilensError):
    """Our own fault; tells the caller nothing else."""

    def __init__(self) -> None:
        super().__init__("internal error")


def bad_request(violations: Sequence[Violation]) -> error_details_pb2.BadRequest:
    """The violations as google.rpc.BadRequest; the last says how many more there is no room for."""
    made = error_details_pb2.BadRequest()
    for number, violation in enumerate(violations):
        field, description = _shortened(violation.field), _shortened(violation.description)
        if made.ByteSize() + len(field.encode()) + len(description.encode()) > _MAX_VIOLATION_BYTES:
            made.field_violations.add(description=f"and {len(violations) - number} more")
            break
        made.field_violations.add(field=field, description=description)
    return made


def rpc_code(code: grpc.StatusCode) -> int:
    """The number that google.rpc.Status uses for a gRPC code."""
    return int(code_pb2.Code.Value(code.name))


def _shortened(text: str) -> str:
    encoded = text.encode()
    if len(encoded) <= MAX_MESSAGE_BYTES:
        return text
    return encoded[: MAX_MESSAGE_BYTES - 3].decode(errors="ignore") + "…"
