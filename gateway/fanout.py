"""fan_out(): every backend at once, within one deadline; what became of each."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.trace import SpanKind

from chassis.call import Call, Deadline
from chassis.errors import DeadlineExceeded, Internal
from chassis.images import Pixels
from chassis.options import Options
from chassis.telemetry import (
    FEATURE,
    FEATURE_NAME,
    MODEL_NAME,
    MODEL_VERSION,
    OUTCOME,
    below,
    fail,
    span,
)
from gateway.backends import Backend
from gateway.outcomes import Answered, Outcome, failure
from trilens.v1 import analysis_pb2 as pb

logger = logging.getLogger(__name__)

# What is kept back from the models' time, so that an answer without the late ones still reaches
# the caller before its deadline: this share of what is left, at most so many seconds.
_RESERVE_SHARE: Final = 0.15
_MAX_RESERVE_SECONDS: Final = 0.15


@dataclass(frozen=True, slots=True)
class Ask:
    """One feature's question to its backend."""

    feature: str
    backend: Backend
    pixels: Pixels
    options: Options


async def fan_out(asks: Sequence[Ask], call: Call) -> dict[str, Outcome]:
    """Asks every backend; a feature that is not there in time is TIMED_OUT, the others stand."""
    left = call.deadline.left()
    budget = max(0.0, left - min(_RESERVE_SHARE * left, _MAX_RESERVE_SECONDS))
    began = time.monotonic()
    within = call.within(Deadline.after(budget))
    tasks = {ask.feature: asyncio.create_task(_ask(ask, within, began)) for ask in asks}
    try:
        await asyncio.wait(tasks.values(), timeout=budget)
    finally:
        # A late service, or all of them if the caller has gone: cancelling reaches their queues.
        for task in tasks.values():
            task.cancel()
    return {feature: _outcome(feature, task, began) for feature, task in tasks.items()}


async def _ask(ask: Ask, call: Call, began: float) -> Outcome:
    with span(FEATURE, call.trace, {FEATURE_NAME: ask.feature}, SpanKind.CLIENT) as own:
        try:
            end = await ask.backend.answer(
                ask.pixels, ask.options, call.under(below(own, call.trace))
            )
        except asyncio.CancelledError:
            timed_out = call.deadline.passed()
            own.set_attribute(OUTCOME, "timed_out" if timed_out else "cancelled")
            raise
        except Exception:
            logger.exception("unhandled error in %s", ask.feature)
            end = failure(Internal())
        if isinstance(end, Answered):
            own.set_attribute(MODEL_NAME, end.model.name)
            own.set_attribute(MODEL_VERSION, end.model.version)
            own.set_attribute(OUTCOME, "ok")
        else:
            own.set_attribute(OUTCOME, _name(end.state))
            fail(own, end.status.message)
        return Outcome(end, time.monotonic() - began)


def _outcome(feature: str, task: "asyncio.Task[Outcome]", began: float) -> Outcome:
    if task.done() and not task.cancelled():
        return task.result()
    late = failure(DeadlineExceeded(f"{feature} did not answer in time"))
    return Outcome(late, time.monotonic() - began)


def _name(state: pb.State) -> str:
    return pb.State.Name(state).removeprefix("STATE_").lower()
