"""The merge: pure, so every code is tried; real causes are in test_fates.py."""

from itertools import permutations

import grpc
import pytest
from google.rpc import status_pb2

from gateway.merge import AnalysisFailed, merge
from gateway.outcomes import Answered, Outcome, failure_of_status
from tests.statuses import detail
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import detector_pb2, model_pb2

# As documented at FeatureRequest.required.
ORDER = (
    "INVALID_ARGUMENT",
    "PERMISSION_DENIED",
    "UNIMPLEMENTED",
    "INTERNAL",
    "RESOURCE_EXHAUSTED",
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "ABORTED",  # any other
)

OK = Outcome(
    Answered(detector_pb2.Detection(), model_pb2.ModelRef(name="m"), model_pb2.Timings()), 0.1
)


def failed(name: str, text: str = "why") -> Outcome:
    code = grpc.StatusCode[name]
    status = status_pb2.Status(code=code.value[0], message=text)
    return Outcome(failure_of_status("feature", status, code), 0.1)


@pytest.mark.parametrize(("first", "second"), list(permutations(ORDER, 2)))
def test_of_two_failures_the_documented_first_decides(first: str, second: str) -> None:
    with pytest.raises(AnalysisFailed) as error:
        merge({"a": failed(first), "b": failed(second)}, ())

    assert error.value.code.name == min(first, second, key=ORDER.index)


def test_a_feature_that_is_not_required_does_not_decide() -> None:
    with pytest.raises(AnalysisFailed) as error:
        merge({"a": failed("INVALID_ARGUMENT"), "b": failed("DEADLINE_EXCEEDED"), "c": OK}, ["b"])

    assert error.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


def test_states_of_many_features_with_long_texts_leave_room_for_what_matters() -> None:
    outcomes = {f"feature-{number}": failed("INTERNAL", "é" * 300) for number in range(200)}

    with pytest.raises(AnalysisFailed) as error:
        merge(outcomes, ())

    status = error.value.status()
    assert status.ByteSize() <= 4096
    assert status.details[0].TypeName() == "google.rpc.ErrorInfo"
    assert detail(status, pb.AnalyzeImageResponse) is None


def test_seconds_are_told_of_answers_and_failures() -> None:
    response = merge({"a": OK, "b": failed("INTERNAL")}, ())

    assert [response.outcomes[name].total_seconds for name in "ab"] == [0.1, 0.1]
