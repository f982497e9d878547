"""Explaining: a model's explanations, made with the time that predictions leave over."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Final, Generic, TypeVar

import grpc
import numpy as np
from google.rpc import status_pb2

from chassis.call import Call, Deadline, Priority
from chassis.compute import ComputePool
from chassis.errands import Errands
from chassis.errors import DeadlineExceeded, ModelFailed, QueueFull, TrilensError
from chassis.images import Pixels
from chassis.telemetry import EXPLAIN, span
from services.answers import box_message
from services.model import Explainer, Heatmap, Method
from trilens.v1 import explanation_pb2 as pb

P = TypeVar("P")

logger = logging.getLogger(__name__)

# Of the time that is left for the answer: it is at hand, and must not be late for its explanation.
_SHARE: Final = 0.5

METHODS: Final = {
    Method.OCCLUSION: pb.EXPLANATION_METHOD_OCCLUSION,
    Method.ATTENTION: pb.EXPLANATION_METHOD_ATTENTION,
}


class ExplanationTooLong(TrilensError):
    """An explanation took longer than this server allows."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "EXPLANATION_TOO_LONG"


@dataclass(frozen=True, slots=True)
class ExplainingLimits:
    """What explanations may take."""

    seconds: float  # of one call, waiting included
    max_under_way: int  # calls at once; one more is refused


class Explaining(Generic[P]):
    """Explains predictions, step by step, each step a job behind every interactive photo.

    A prediction that is at hand is never lost: what keeps its explanation from being made is told
    in the explanation's place.
    """

    def __init__(
        self, explainer: Explainer[P], pool: ComputePool, limits: ExplainingLimits
    ) -> None:
        self._explainer = explainer
        self._limits = limits
        self._under_way = 0
        # A call has one step at most in line, so this never refuses any.
        self._steps = Errands(pool, "explain", limits.max_under_way)

    @property
    def method(self) -> pb.ExplanationMethod:
        """How maps are made."""
        return METHODS[self._explainer.method]

    async def explain(self, pixels: Pixels, part: P, call: Call) -> pb.Explanation:
        """As many maps of this part of the photo's prediction as time allows."""
        began = time.monotonic()
        maps: list[Heatmap] = []
        status = status_pb2.Status()
        try:
            with self._place(), span(EXPLAIN, call.trace):
                await self._collect(pixels, part, call, maps)
        except TrilensError as error:
            status = error.status()
        return pb.Explanation(
            status=status,
            method=self.method,
            heatmaps=map(_message, maps),
            seconds=time.monotonic() - began,
        )

    def idle(self) -> bool:
        """Whether no step waits or runs."""
        return self._steps.idle()

    def close(self) -> None:
        """Asks for no more of the pool's time."""
        self._steps.close()

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._under_way >= self._limits.max_under_way:
            raise QueueFull(
                f"{self._under_way} photos are being explained already",
                timedelta(seconds=self._limits.seconds),
            )
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def _collect(self, pixels: Pixels, part: P, call: Call, maps: list[Heatmap]) -> None:
        allowed = Deadline.after(self._limits.seconds)
        rest = Deadline.after(_SHARE * call.deadline.left())
        within = replace(
            call, deadline=min(allowed, rest), priority=max(call.priority, Priority.BATCH)
        )
        steps = self._explainer.explain(pixels, part)
        try:
            while (done := await self._steps.run(partial(next, steps, None), within)) is not None:
                maps += done
        except DeadlineExceeded:
            if allowed < rest:
                raise ExplanationTooLong(
                    f"explaining takes more than the {self._limits.seconds:g} s allowed here"
                ) from None
            raise DeadlineExceeded("the deadline leaves no time to explain it all") from None
        except Exception as error:
            logger.exception("a photo could not be explained")
            raise ModelFailed("the model could not explain this photo") from error


def _message(one: Heatmap) -> pb.Heatmap:
    rows, columns = one.values.shape
    strongest = float(np.abs(one.values).max())
    return pb.Heatmap(
        label=one.label,
        face=one.face,
        word=one.word,
        box=box_message(one.box),
        rows=rows,
        columns=columns,
        values=(one.values / (strongest or 1.0)).ravel().tolist(),
        strongest=strongest,
    )
