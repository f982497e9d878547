"""fan_out(): every backend at once, within one deadline; what became of each."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.trace import SpanKind

from chassis.call import Call, Deadline
from chassis.errors import DeadlineExceeded, Internal
from chassis.images import Pixels
from chassis.metrics import FEATURE_SECONDS
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
from gateway.budget import short_of
from gateway.outcomes import Answered, Failure, Outcome, failure
from gateway.pulse import Pulse
from trilens.v1 import analysis_pb2 as pb

logger = logging.getLogger(__name__)

# What a cancelled ask gets to end its span before the call's own ends.
_LAST_WORDS_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Ask:
    """One feature's question to its backend."""

    feature: str
    backend: Backend
    pulse: Pulse
    pixels: Pixels
    options: Options


async def fan_out(
    asks: Sequence[Ask], call: Call, only_waits: Callable[[], None]
) -> dict[str, Outcome]:
    """Asks every backend; a feature that is not there in time is TIMED_OUT, the others stand.

    Calls `only_waits`, perhaps several times, once none but silent backends are missing.
    """
    began = time.monotonic()
    within = short_of(call)
    # The slowest model first: were it last in line for a core, the call would end that much later.
    slowest_first = sorted(asks, key=lambda ask: -ask.pulse.pace)
    tasks = {asyncio.create_task(_ask(ask, within, began)): ask for ask in slowest_first}
    try:
        await _until_done(tasks, within.deadline, only_waits)
    finally:
        # A late service, or all of them if the caller has gone: cancelling reaches their queues.
        for task in tasks:
            task.cancel()
    await asyncio.wait(tasks, timeout=_LAST_WORDS_SECONDS)
    return {ask.feature: _outcome(ask.feature, task, began) for task, ask in tasks.items()}


async def _until_done(
    tasks: "Mapping[asyncio.Task[Outcome], Ask]",
    deadline: Deadline,
    only_waits: Callable[[], None],
) -> None:
    pending = set(tasks)
    while pending and not deadline.passed():
        missing = [tasks[task].pulse for task in pending]
        if all(pulse.silent for pulse in missing):
            only_waits()
        patience = min(pulse.patience for pulse in missing)
        _, pending = await asyncio.wait(
            pending,
            timeout=min(deadline.left(), patience),
            return_when=asyncio.FIRST_COMPLETED,
        )


async def _ask(ask: Ask, call: Call, began: float) -> Outcome:
    outcome, version = "failed", ""
    with span(FEATURE, call.trace, {FEATURE_NAME: ask.feature}, SpanKind.CLIENT) as own:
        try:
            with ask.pulse.asking():
                end = await _answer(ask, call.under(below(own, call.trace)))
                ask.pulse.heard(end)
            if isinstance(end, Answered):
                outcome, version = "ok", end.model.version
                own.set_attribute(MODEL_NAME, end.model.name)
                own.set_attribute(MODEL_VERSION, version)
            else:
                outcome = _name(end.state)
                fail(own, end.status.message)
        except asyncio.CancelledError:
            outcome = "timed_out" if call.deadline.ran_out() else "cancelled"
            raise
        finally:
            seconds = time.monotonic() - began
            own.set_attribute(OUTCOME, outcome)
            FEATURE_SECONDS.labels(ask.feature, version, call.lane, outcome).observe(seconds)
        return Outcome(end, seconds)


async def _answer(ask: Ask, call: Call) -> Answered | Failure:
    try:
        return await ask.backend.answer(ask.pixels, ask.options, call)
    except Exception:
        logger.exception("unhandled error in %s", ask.feature)
        return failure(ask.feature, Internal())


def _outcome(feature: str, task: "asyncio.Task[Outcome]", began: float) -> Outcome:
    if task.done() and not task.cancelled():
        return task.result()
    late = failure(feature, DeadlineExceeded(f"{feature} did not answer in time"))
    return Outcome(late, time.monotonic() - began)


def _name(state: pb.State) -> str:
    return pb.State.Name(state).removeprefix("STATE_").lower()
