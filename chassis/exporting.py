"""Spans out over OTLP; imported only where somebody listens, since the SDK is slow to load."""

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from chassis.telemetry import BATCH
from chassis.version import VERSION


def exporting(service: str, *, named: bool) -> TracerProvider:
    """A provider that exports as the OTEL_* variables say; `named`: they name the service, too."""
    resource = {SERVICE_VERSION: VERSION} | ({} if named else {SERVICE_NAME: service})
    provider = TracerProvider(resource=Resource.create(resource), shutdown_on_exit=False)
    provider.sampler = _BatchesFollowTheirMembers(provider.sampler)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class _BatchesFollowTheirMembers(Sampler):
    """Samples every batch span, since one is only begun for a sampled member; else as told.

    A batch is a trace of its own: a sampler by trace id would drop it at random.
    """

    def __init__(self, other: Sampler) -> None:
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
        if name == BATCH:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)
        return self._other.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        return f"BatchesFollowTheirMembers({self._other.get_description()})"
