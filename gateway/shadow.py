"""Shadows: a canary is asked what stable has answered, and whether they agree is counted."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from opentelemetry.trace import SpanKind

from chassis.call import CANARY, Call, Deadline, Priority
from chassis.decoder import Views
from chassis.images import Pixels
from chassis.metrics import AGREEMENT, SHADOWS
from chassis.options import Options
from chassis.telemetry import FEATURE_NAME, LANE, OUTCOME, SHADOW, below, span
from gateway.agreement import agreement
from gateway.backends import max_side
from gateway.canary import CanaryTrack
from gateway.features import Feature
from gateway.lanes import Lane
from gateway.outcomes import Answered, Outcome
from trilens.v1 import analysis_pb2 as pb

logger = logging.getLogger(__name__)

COMPARED: Final = "compared"
FAILED: Final = "failed"
TIMED_OUT: Final = "timed_out"
DROPPED: Final = "dropped"


@dataclass(frozen=True, slots=True)
class Plan:
    """What of a call is to be copied: longest sides of photos, by feature."""

    track: CanaryTrack | None = None
    sides: Mapping[str, int] = field(default_factory=dict)


class Shadows:
    """Sends copies: never more than so many photos at once, with a deadline of their own.

    Answers never wait for one; what there is no room for is dropped. `busy` says whether calls wait
    for this process.
    """

    def __init__(self, max_at_once: int, seconds: float, busy: Callable[[], bool]) -> None:
        self._max_at_once = max_at_once
        self._seconds = seconds
        self._busy = busy
        self._under_way: set[asyncio.Task[None]] = set()

    def plan(self, lane: Lane, asked: Sequence[tuple[Feature, Options]]) -> Plan:
        """What to copy of a call that asks for those features; asked before its photo is decoded.

        Only answers by the model's own choices: those by thresholds of a caller's would be compared
        with what the offline comparison says of others.
        """
        if lane.shadow is None:
            return Plan()
        canaries = lane.shadow.features
        names = [one.name for one, options in asked if one.name in canaries and _usual(options)]
        if self._full():
            _count(names, DROPPED)
            return Plan()
        return Plan(lane.shadow, {name: max_side(canaries[name].backend) for name in names})

    def send(self, plan: Plan, views: Views, outcomes: Mapping[str, Outcome], call: Call) -> None:
        """Copies what was planned and answered, in the background."""
        answers = {
            name: end for name in plan.sides if isinstance(end := outcomes[name].end, Answered)
        }
        track = plan.track
        if track is None or not answers:
            return
        if self._full() or not track.usable():
            _count(answers, DROPPED)
            return
        photos = {name: views.by_side[plan.sides[name]] for name in answers}
        copy = replace(
            call,
            deadline=Deadline.after(self._seconds),
            lane=CANARY,
            priority=Priority.SHADOW,
        )
        task = asyncio.create_task(_compare(track, answers, photos, copy))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def stop(self) -> None:
        """Gives up what is under way."""
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way)

    def _full(self) -> bool:
        return len(self._under_way) >= self._max_at_once or self._busy()


async def _compare(
    track: CanaryTrack, answers: Mapping[str, Answered], photos: Mapping[str, Pixels], call: Call
) -> None:
    with track.used():
        await asyncio.gather(
            *(_ask(track.features[name], answers[name], photos[name], call) for name in answers)
        )


async def _ask(feature: Feature, stable: Answered, photo: Pixels, call: Call) -> None:
    """Not through the fan-out: a copy leaves no mark on what is measured of answers."""
    outcome = FAILED
    about = {FEATURE_NAME: feature.name, LANE: call.lane}
    with span(SHADOW, call.trace, about, SpanKind.CLIENT) as own:
        try:
            async with asyncio.timeout(call.deadline.left()):
                under = call.under(below(own, call.trace))
                canary = await feature.backend.answer(photo, feature.task.no_options, under)
            if isinstance(canary, Answered):
                _count_agreement(feature.name, stable, canary)
                outcome = COMPARED
            elif canary.state == pb.STATE_TIMED_OUT:
                outcome = TIMED_OUT
        except TimeoutError:
            outcome = TIMED_OUT
        except asyncio.CancelledError:
            outcome = DROPPED  # the gateway drains
            raise
        except Exception:
            logger.exception("unhandled error in a copy for %s", feature.name)
        finally:
            own.set_attribute(OUTCOME, outcome)
            _count((feature.name,), outcome)


def _count_agreement(feature: str, stable: Answered, canary: Answered) -> None:
    versions = stable.model.version, canary.model.version
    for aspect, same in agreement(stable.result, canary.result).items():
        # Both from the first photo on: a share of what is not there yet is nothing, and not 0.
        outcomes = {
            alike: AGREEMENT.labels(feature, *versions, aspect, "same" if alike else "different")
            for alike in (True, False)
        }
        outcomes[same].inc()


def _count(features: Iterable[str], outcome: str) -> None:
    for name in features:
        SHADOWS.labels(name, outcome).inc()


def _usual(options: Options) -> bool:
    return all(field.name == "explain" for field, _ in options.ListFields())
