"""Errors in plain words: what went wrong, which field, when to try again."""

from dataclasses import dataclass
from datetime import timedelta

import grpc
from google.protobuf import message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from trilens.v1 import analysis_pb2 as pb

_PLAIN = {
    "ABORTED": "the call was given up",
    "CANCELLED": "the call was cancelled",
    "DEADLINE_EXCEEDED": "the answer did not come in time",
    "INTERNAL": "the server failed",
    "INVALID_ARGUMENT": "the server cannot use this request",
    "NOT_FOUND": "the server does not have this",
    "PERMISSION_DENIED": "the server does not allow this",
    "RESOURCE_EXHAUSTED": "too much at once",
    "UNAUTHENTICATED": "the server does not know this caller",
    "UNAVAILABLE": "the server is not ready",
    "UNIMPLEMENTED": "the server does not offer this call",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with a request: the field's path and what is wrong with it."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class FeatureEnd:
    """What became of one feature of a call that failed."""

    feature: str
    state: pb.State
    message: str  # empty if the feature answered


@dataclass(frozen=True, slots=True)
class Explanation:
    """An error taken apart; as a string it is one sentence for people."""

    code: str  # name of the gRPC status code; empty if no call was made
    # Machine-readable, such as "QUEUE_FULL"; UNREACHABLE, UNREADABLE and TOO_LARGE are our own.
    reason: str
    message: str  # the server's words, or the system's
    violations: tuple[Violation, ...] = ()
    retry_after: timedelta | None = None  # when the server would like to be asked again
    features: tuple[FeatureEnd, ...] = ()  # by name, if the call failed because of them

    def __str__(self) -> str:
        return f"{self._lead()}: {self.said}" if self.said else self._lead()

    @property
    def said(self) -> str:
        """The message, and when to try again."""
        if self.retry_after is None:
            return self.message
        again = f"try again in {self.retry_after.total_seconds():g} s"
        return f"{self.message}; {again}" if self.message else again

    def _lead(self) -> str:
        if self.reason == "UNREACHABLE":
            return "cannot reach the server"
        if self.reason == "UNREADABLE":
            return "cannot read the photo"
        if self.reason == "TOO_LARGE":
            return "the message is too large; send fewer or smaller photos in one call"
        return _PLAIN.get(self.code, f"the call failed ({self.code})")


def explain(error: BaseException | status_pb2.Status) -> Explanation:
    """Explains an exception of a client, or a status found in an answer.

    Any other exception is explained by its own words.
    """
    if isinstance(error, status_pb2.Status):
        return _explain_status(error)
    if isinstance(error, grpc.RpcError):
        return _explain_call(error)
    if isinstance(error, grpc.FutureCancelledError):
        return Explanation("CANCELLED", "", "")
    if isinstance(error, OSError):
        return Explanation("", "UNREADABLE", error.strerror or str(error))
    return Explanation("", "", f"{type(error).__name__}: {error}")


def _explain_call(error: grpc.RpcError) -> Explanation:
    if not isinstance(error, grpc.Call | grpc.aio.AioRpcError):
        return Explanation("UNKNOWN", "", str(error))
    code, trailers = error.code(), error.trailing_metadata() or ()
    for key, value in trailers:
        if key == "grpc-status-details-bin":
            try:
                return _explain_status(status_pb2.Status.FromString(value))
            except message.DecodeError:
                break
    return Explanation(code.name, _reason_of_grpc(error), error.details() or "")


def _reason_of_grpc(error: grpc.Call | grpc.aio.AioRpcError) -> str:
    """Trilens always says why it is unavailable or has no room; who does not is gRPC itself."""
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return "UNREACHABLE"
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in (
        error.details() or ""
    ):
        return "TOO_LARGE"
    return ""


def _explain_status(status: status_pb2.Status) -> Explanation:
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    states = pb.AnalyzeImageResponse()
    for detail in status.details:
        for known in (info, bad_request, retry, states):
            detail.Unpack(known)
    known_code = status.code in code_pb2.Code.values()
    return Explanation(
        code=code_pb2.Code.Name(status.code) if known_code else str(status.code),
        reason=info.reason,
        message=status.message,
        violations=tuple(Violation(v.field, v.description) for v in bad_request.field_violations),
        retry_after=retry.retry_delay.ToTimedelta() if retry.HasField("retry_delay") else None,
        features=tuple(
            FeatureEnd(feature, outcome.state, outcome.status.message)
            for feature, outcome in sorted(states.outcomes.items())
        ),
    )
