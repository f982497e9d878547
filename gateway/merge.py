"""merge(): outcomes to one response, or to the error that the call ends with; pure."""

from collections.abc import Collection, Mapping
from typing import Final

import grpc
from google.protobuf import message
from google.rpc import error_details_pb2, status_pb2

from chassis.errors import TrilensError
from gateway.outcomes import CODE_ORDER, Failure, Outcome
from gateway.tasks import RESULT_FIELDS
from trilens.v1 import analysis_pb2 as pb

_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class AnalysisFailed(TrilensError):
    """No feature answered, or a required one did not; carries every feature's state and status."""

    reason = "ANALYSIS_FAILED"

    def __init__(self, status: status_pb2.Status, feature: str, states: pb.AnalyzeImageResponse):
        super().__init__(f"{feature}: {status.message}")
        self.code = _CODES[status.code]
        self._status = status
        self._states = states

    def details(self) -> tuple[message.Message, ...]:
        """When to try again if the deciding status says so; then the states, if they fit."""
        retry = error_details_pb2.RetryInfo()
        found = any(detail.Unpack(retry) for detail in self._status.details)
        return (retry, self._states) if found else (self._states,)


def merge(outcomes: Mapping[str, Outcome], required: Collection[str]) -> pb.AnalyzeImageResponse:
    """The response with an outcome per feature.

    Raises AnalysisFailed when a required feature did not answer, or none did: with the code that
    comes first in CODE_ORDER among the required ones that failed, else among all.
    """
    response = pb.AnalyzeImageResponse(
        outcomes={feature: _message(outcome) for feature, outcome in outcomes.items()},
        completeness=_completeness(outcomes),
    )
    failed = {f: o.end.status for f, o in outcomes.items() if isinstance(o.end, Failure)}
    deciding = {feature: failed[feature] for feature in required if feature in failed}
    if not deciding and response.completeness == pb.COMPLETENESS_EMPTY:
        deciding = failed
    if deciding:
        feature = min(sorted(deciding), key=lambda name: _rank(deciding[name].code))
        raise AnalysisFailed(deciding[feature], feature, _states(response))
    return response


def _message(outcome: Outcome) -> pb.FeatureOutcome:
    end = outcome.end
    if isinstance(end, Failure):
        return pb.FeatureOutcome(state=end.state, status=end.status, total_seconds=outcome.seconds)
    made = pb.FeatureOutcome(
        state=pb.STATE_OK, model=end.model, timings=end.timings, total_seconds=outcome.seconds
    )
    getattr(made, RESULT_FIELDS[type(end.result)]).CopyFrom(end.result)
    return made


def _completeness(outcomes: Mapping[str, Outcome]) -> pb.Completeness:
    failed = sum(isinstance(outcome.end, Failure) for outcome in outcomes.values())
    if failed == 0:
        return pb.COMPLETENESS_FULL
    return pb.COMPLETENESS_EMPTY if failed == len(outcomes) else pb.COMPLETENESS_PARTIAL


def _rank(code: int) -> int:
    return CODE_ORDER.index(code) if code in CODE_ORDER else len(CODE_ORDER)


def _states(response: pb.AnalyzeImageResponse) -> pb.AnalyzeImageResponse:
    """States and statuses without their details: small enough for a trailer, no annotations."""
    return pb.AnalyzeImageResponse(
        outcomes={
            feature: pb.FeatureOutcome(
                state=outcome.state,
                status=status_pb2.Status(code=outcome.status.code, message=outcome.status.message),
            )
            for feature, outcome in response.outcomes.items()
        },
        completeness=response.completeness,
    )
