"""Traces: the providers, and every span and attribute name in one table.

Spans leave over OTLP when the standard OTEL_* variables name an endpoint; otherwise the
OpenTelemetry API does nothing, but a caller's trace context still travels on.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from chassis.metrics import STAGE_SECONDS
from chassis.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

# Spans.
DECODE: Final = "decode"  # gateway or service: bytes to pixels, the wait for a core included
ADMIT: Final = "admit"  # gateway: the wait for a place among the calls being worked on
ITEM: Final = "item"  # gateway: one photo of a batch call
FEATURE: Final = "feature"  # gateway: one backend, from fan-out to outcome
QUEUE: Final = "queue"  # service: a photo waits for its model
INFER: Final = "infer"  # service: a photo within its batch
BATCH: Final = "batch"  # service: the batch itself, a trace of its own, linked to its members
EXPLAIN: Final = "explain"  # service: the maps that a caller asked for, waits included
MERGE: Final = "merge"  # gateway: outcomes to response
SHADOW: Final = "shadow"  # gateway: a photo's copy to the canary, after its answer

# Attributes.
REQUEST_ID: Final = "trilens.request_id"
LANE: Final = "trilens.lane"
FEATURE_NAME: Final = "trilens.feature"
MODEL_NAME: Final = "trilens.model.name"
MODEL_VERSION: Final = "trilens.model.version"
BATCH_SIZE: Final = "trilens.batch.size"
OUTCOME: Final = "trilens.outcome"  # a State in lower case, or "cancelled"
COMPLETENESS: Final = "trilens.completeness"
# OpenTelemetry's own (semantic conventions for RPC, since 1.45 stable).
RPC_SYSTEM: Final = "rpc.system.name"
RPC_METHOD: Final = "rpc.method"  # with its service
RPC_CODE: Final = "rpc.response.status_code"
ERROR_TYPE: Final = "error.type"

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
_FLUSH_SECONDS: Final = 5.0

logger = logging.getLogger(__name__)


class Telemetry:
    """The process's tracer provider, if there is one; flushed last of all."""

    def __init__(self, provider: "TracerProvider | None" = None) -> None:
        self._provider = provider

    def flush(self, seconds: float = _FLUSH_SECONDS) -> None:
        """Sends what is still held; gives up after so many seconds."""
        if self._provider is not None:
            # The SDK's own time limits are not kept while a collector cannot be reached.
            last = threading.Thread(target=self._provider.shutdown, name="flush", daemon=True)
            last.start()
            last.join(seconds)


def start_telemetry(environment: Mapping[str, str], service: str) -> Telemetry:
    """Sets up export as the OTEL_* variables say; nothing when they name no endpoint."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return Telemetry()
    if not any(environment.get(name) for name in _ENDPOINTS):
        return Telemetry()
    if not _over_grpc(environment):
        return Telemetry()
    # Half a second that a process which exports nothing need not wait for.
    from chassis.exporting import exporting

    provider = exporting(service, own_trace=BATCH)
    trace.set_tracer_provider(provider)
    return Telemetry(provider)


def _over_grpc(environment: Mapping[str, str]) -> bool:
    """Whether traces are to leave as OTLP; says so if another way than gRPC was asked for."""
    exporter = environment.get("OTEL_TRACES_EXPORTER") or "otlp"
    if exporter not in ("otlp", "none"):
        logger.warning("OTEL_TRACES_EXPORTER=%s is not offered here: no traces", exporter)
    for name in _PROTOCOLS:
        if environment.get(name, "grpc") != "grpc":
            logger.warning("%s=%s is not offered here: gRPC is used", name, environment[name])
    return exporter == "otlp"


def tracer() -> trace.Tracer:
    """The tracer that every span here is made with."""
    return _tracer_of(trace.get_tracer_provider())


@lru_cache(maxsize=1)  # the SDK makes a new one each time, which costs more than a span
def _tracer_of(provider: trace.TracerProvider) -> trace.Tracer:
    return provider.get_tracer("trilens", VERSION)


@contextmanager
def span(
    name: str,
    parent: Context,
    attributes: Mapping[str, str] | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[Span]:
    """A span around the block; an exception of any kind, cancellation too, ends it as an error.

    The block's seconds go into the metrics as a stage of that name, sampled or not.
    """
    began = time.perf_counter()
    begun = tracer().start_span(name, context=parent, kind=kind, attributes=attributes)
    try:
        yield begun
    except BaseException as error:
        fail(begun, type(error).__name__)
        raise
    finally:
        begun.end()
        STAGE_SECONDS.labels(name).observe(time.perf_counter() - began)


def mark(context: Context, name: str, value: str) -> None:
    """Sets an attribute of the span that the context is below of."""
    trace.get_current_span(context).set_attribute(name, value)


def fail(failed: Span, why: str) -> None:
    """Marks a span as an error, unless it says so already."""
    failed.set_status(Status(StatusCode.ERROR, why))


def exemplar(of: Span) -> dict[str, str] | None:
    """What leads from a histogram to the trace, if that is kept."""
    context = of.get_span_context()
    if not context.trace_flags.sampled:
        return None
    return {"trace_id": trace.format_trace_id(context.trace_id)}


def below(parent: Span, context: Context) -> Context:
    """The context in which further spans become the span's children."""
    return trace.set_span_in_context(parent, context)


def now() -> int:
    """Nanoseconds since 1970: the clock of spans."""
    return time.time_ns()
