"""The spans of a batch: each member's wait and inference, and the batch's own linked trace."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Link, Span

from chassis.call import Call
from chassis.images import Pixels
from chassis.line import Ticket
from chassis.telemetry import (
    BATCH,
    BATCH_SIZE,
    INFER,
    LANE,
    MODEL_NAME,
    MODEL_VERSION,
    OUTCOME,
    QUEUE,
    REQUEST_ID,
    fail,
    now,
    tracer,
)
from services.manifest import Manifest


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A photo in the line, with the span of its wait."""

    pixels: Pixels
    queue: Span


@contextmanager
def waiting(pixels: Pixels, call: Call, manifest: Manifest) -> Iterator[Waiting]:
    """A photo whose wait ends when it is taken into a batch, or when its caller gives up."""
    queue = tracer().start_span(QUEUE, call.trace, attributes=_about(manifest, call))
    try:
        yield Waiting(pixels, queue)
    except BaseException as error:
        if queue.is_recording():
            fail(queue, type(error).__name__)
        raise
    finally:
        if queue.is_recording():
            queue.end()


class BatchSpans:
    """Begun when the batch is taken; ended when its results are there.

    The batch is a trace of its own, since it belongs to several calls; it exists only if one of
    them is sampled, and is linked with each of those both ways.
    """

    def __init__(self, manifest: Manifest, tickets: Sequence[Ticket[Waiting, Any]]) -> None:
        began = now()
        self._members = []
        for ticket in tickets:
            ticket.item.queue.end(began)
            about = {**_about(manifest, ticket.call), BATCH_SIZE: len(tickets)}
            member = tracer().start_span(
                INFER, ticket.call.trace, attributes=about, start_time=began
            )
            self._members.append(member)
        self._batch: Span = INVALID_SPAN
        sampled = [
            member for member in self._members if member.get_span_context().trace_flags.sampled
        ]
        if sampled:
            links = [Link(member.get_span_context()) for member in sampled]
            about = {
                MODEL_NAME: manifest.name,
                MODEL_VERSION: manifest.version,
                BATCH_SIZE: len(tickets),
            }
            self._batch = tracer().start_span(
                BATCH, Context(), attributes=about, links=links, start_time=began
            )
            for member in sampled:
                member.add_link(self._batch.get_span_context())

    def end(self, results: Sequence[object]) -> None:
        """Ends every span, each with its photo's outcome."""
        ended = now()
        for member, result in zip(self._members, results, strict=True):
            failed = isinstance(result, Exception)
            member.set_attribute(OUTCOME, "failed" if failed else "ok")
            if failed:
                fail(member, "model failed")
            member.end(ended)
        self._batch.end(ended)


def _about(manifest: Manifest, call: Call) -> dict[str, str | int]:
    return {
        MODEL_NAME: manifest.name,
        MODEL_VERSION: manifest.version,
        LANE: call.lane,
        REQUEST_ID: call.request_id,
    }
