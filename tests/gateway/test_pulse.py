"""When a backend counts as silent."""

import threading

from gateway.pulse import Pulse


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
