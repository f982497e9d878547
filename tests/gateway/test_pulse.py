"""When a backend counts as silent."""

import threading

import pytest

from gateway.outcomes import Answered
from gateway.pulse import Pulse
from trilens.v1 import detector_pb2, model_pb2


def test_an_ask_given_up_early_says_nothing_about_the_next_one() -> None:
    pulse = Pulse(patience=0.02)
    with pulse.asking():
        pass

    threading.Event().wait(0.03)

    with pulse.asking():
        assert not pulse.silent


def test_asks_that_run_out_of_patience_without_a_sign_are_silence() -> None:
    pulse = Pulse(patience=0.02)
    with pulse.asking():
        threading.Event().wait(0.03)
        assert pulse.silent
    assert pulse.silent


def test_the_pace_follows_what_a_model_takes_for_each_photo_of_a_batch() -> None:
    pulse = Pulse(patience=1)

    pulse.heard(answered(seconds=0.4, batch_size=4))
    assert pulse.pace == pytest.approx(0.1)

    for _ in range(50):
        pulse.heard(answered(seconds=0.03, batch_size=1))
    assert pulse.pace == pytest.approx(0.03, rel=0.01)


def answered(seconds: float, batch_size: int) -> Answered:
    timings = model_pb2.Timings(infer_seconds=seconds, batch_size=batch_size)
    return Answered(detector_pb2.Detection(), model_pb2.ModelRef(), timings)
