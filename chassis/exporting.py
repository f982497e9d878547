"""Spans out over OTLP; imported only where somebody listens, since the SDK is slow to load."""

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import (
    SERVICE_NAME,
    SERVICE_VERSION,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from chassis.version import VERSION


def exporting(service: str, *, own_trace: str) -> TracerProvider:
    """A provider that exports as the OTEL_* variables say, under that name if they give no other.

    Spans called `own_trace` begin traces that are sampled always, whatever the variables say.
    """
    ours = Resource.create({SERVICE_NAME: service, SERVICE_VERSION: VERSION})
    # What is given to create() goes before what the variables say.
    resource = ours.merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.sampler = _Besides(own_trace, provider.sampler)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class _Besides(Sampler):
    """Samples every span of one name; the others as another sampler decides.

    A batch's span is only begun for a member that is sampled, but as a trace of its own: by its
    trace id it would be dropped at random.
    """

    def __init__(self, name: str, other: Sampler) -> None:
        self._name = name
        self._other = other

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if name == self._name:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)
        return self._other.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        return f"Besides({self._name}, {self._other.get_description()})"
