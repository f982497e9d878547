"""Pulse: silence is being asked for a while without any answer or failure of one's own."""

import grpc
from google.rpc import status_pb2

from gateway.outcomes import Answered, failure_of_status
from gateway.pulse import Pulse
from trilens.v1 import detector_pb2, model_pb2

ANSWER = Answered(detector_pb2.Detection(), model_pb2.ModelRef(), model_pb2.Timings())
REFUSAL = failure_of_status("objects", status_pb2.Status(), grpc.StatusCode.RESOURCE_EXHAUSTED)
LATE = failure_of_status("objects", status_pb2.Status(), grpc.StatusCode.DEADLINE_EXCEEDED)

IMPATIENT, PATIENT = -1.0, 60.0


def test_a_backend_nobody_asked_is_not_silent() -> None:
    assert not Pulse(IMPATIENT).silent


def test_a_backend_that_was_asked_just_now_is_not_silent() -> None:
    pulse = Pulse(PATIENT)
    with pulse.asking():
        assert not pulse.silent


def test_a_backend_that_has_been_asked_for_long_is_silent_even_after_its_callers_left() -> None:
    pulse = Pulse(IMPATIENT)
    with pulse.asking():
        assert pulse.silent
    assert pulse.silent


def test_an_answer_or_a_refusal_ends_the_silence() -> None:
    for end in (ANSWER, REFUSAL):
        pulse = Pulse(IMPATIENT)
        with pulse.asking():
            pulse.heard(end)
        assert not pulse.silent


def test_running_out_of_time_does_not_end_the_silence() -> None:
    pulse = Pulse(IMPATIENT)
    with pulse.asking():
        pulse.heard(LATE)
    assert pulse.silent


def test_an_answer_to_one_call_begins_the_wait_of_the_others_anew() -> None:
    pulse = Pulse(IMPATIENT)
    with pulse.asking():
        with pulse.asking():
            pulse.heard(ANSWER)
        assert pulse.silent  # with no patience at all, at once
    pulse = Pulse(PATIENT)
    with pulse.asking():
        with pulse.asking():
            pulse.heard(ANSWER)
        assert not pulse.silent
