"""In what order a call's features reach their backends."""

import numpy as np

from chassis.call import Call
from chassis.images import Pixels
from chassis.options import Options
from gateway.fanout import Ask, fan_out
from gateway.outcomes import Answered, Failure
from gateway.pulse import Pulse
from tests.harness import a_call
from trilens.v1 import classifier_pb2, detector_pb2, model_pb2


class TimedBackend:
    """Answers at once, and says that its model computed for that many seconds."""

    def __init__(self, name: str, seconds: float, asked: list[str]) -> None:
        self._name = name
        self._timings = model_pb2.Timings(infer_seconds=seconds, batch_size=1)
        self._asked = asked

    async def answer(self, _: Pixels, __: Options, ___: Call) -> Answered | Failure:
        self._asked.append(self._name)
        return Answered(detector_pb2.Detection(), model_pb2.ModelRef(), self._timings)


async def test_the_slowest_model_is_asked_first_once_it_is_known() -> None:
    asked: list[str] = []
    pixels = Pixels(np.zeros((4, 4, 3), np.uint8))
    options = classifier_pb2.ClassificationOptions()
    asks = [
        Ask(name, TimedBackend(name, seconds, asked), Pulse(patience=1), pixels, options)  # type: ignore[arg-type]  # no more is needed here
        for name, seconds in (("quick", 0.01), ("slow", 0.09), ("middling", 0.04))
    ]

    outcomes = [await fan_out(asks, a_call(), lambda: None) for _ in range(2)]

    assert asked == ["quick", "slow", "middling", "slow", "middling", "quick"]
    assert [outcome.keys() for outcome in outcomes] == [{"quick", "slow", "middling"}] * 2
