"""What an error tells: its google.rpc.Status, as it stands in a call's trailers."""

from typing import TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

M = TypeVar("M", bound=Message)


def status_of(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    """The status with its details; every error of ours has one, of at most 4 KiB."""
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    assert isinstance(details, bytes), error
    assert len(details) <= 4096
    status = status_pb2.Status.FromString(details)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    return status


def detail(status: status_pb2.Status, kind: type[M]) -> M | None:
    """The first detail of that kind, if there is one."""
    found = kind()
    return found if any(packed.Unpack(found) for packed in status.details) else None


def reason(status: status_pb2.Status) -> str:
    """The machine-readable reason, which comes first."""
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "trilens"
    return info.reason


def violations(status: status_pb2.Status) -> dict[str, str]:
    """What is wrong with the request, by the field's path."""
    found = detail(status, error_details_pb2.BadRequest)
    assert found is not None
    return {one.field: one.description for one in found.field_violations}
