"""Outcomes: what became of one feature; and how errors map to states and codes."""

from dataclasses import dataclass
from typing import Final

import grpc
from google.rpc import status_pb2

from chassis.errors import NotReady, TrilensError, rpc_code
from gateway.tasks import Result
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import model_pb2

_STATES: Final = {
    grpc.StatusCode.DEADLINE_EXCEEDED: pb.STATE_TIMED_OUT,
    grpc.StatusCode.RESOURCE_EXHAUSTED: pb.STATE_SHED,
}

# Of several failures the call gets the code of the first in this order; codes that are not listed
# come last. First what repeating cannot mend, last what a patient caller may see go away.
CODE_ORDER: Final = tuple(
    rpc_code(code)
    for code in (
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    )
)


@dataclass(frozen=True, slots=True)
class Answered:
    """The feature's answer and the model that gave it."""

    result: Result
    model: model_pb2.ModelRef
    timings: model_pb2.Timings


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer."""

    state: pb.State
    status: status_pb2.Status


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a feature, and when it was known."""

    end: Answered | Failure
    seconds: float  # since the fan-out began


class FeatureOff(TrilensError):
    """The feature is switched off for this deployment."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "FEATURE_OFF"


class BackendUnreachable(TrilensError):
    """No process answers for the feature."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "BACKEND_UNREACHABLE"


def failure(feature: str, error: TrilensError) -> Failure:
    """An error as the feature's failure."""
    if isinstance(error, FeatureOff):
        return Failure(pb.STATE_SKIPPED, error.status())
    if isinstance(error, NotReady):
        # Why a model is not there (a folder, a digest) is for its operator, who reads the log.
        error = NotReady(f"{feature} is loading or draining")
    return Failure(_STATES.get(error.code, pb.STATE_FAILED), error.status())


def failure_of_status(feature: str, status: status_pb2.Status, code: grpc.StatusCode) -> Failure:
    """A service's own status, sent with that code, as the feature's failure."""
    if code is grpc.StatusCode.UNAVAILABLE:
        return failure(feature, NotReady(status.message))
    status.code = rpc_code(code)
    return Failure(_STATES.get(code, pb.STATE_FAILED), status)
