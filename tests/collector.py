"""An OTLP collector in this process, and what can be said of the spans it received."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from unittest import mock

import grpc
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as rpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.util._once import Once

from chassis.telemetry import start_telemetry
from tests.harness import LOOPBACK


class Collector(rpc.TraceServiceServicer):
    """Keeps every span."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.services: set[str] = set()

    async def Export(self, request: pb.ExportTraceServiceRequest, _: Any) -> Any:
        for resource in request.resource_spans:
            for attribute in resource.resource.attributes:
                if attribute.key == "service.name":
                    self.services.add(attribute.value.string_value)
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        return pb.ExportTraceServiceResponse()

    def trace(self, trace_id: str) -> list[Span]:
        """The spans of one trace, first begun first."""
        found = [span for span in self.spans if span.trace_id.hex() == trace_id]
        return sorted(found, key=lambda span: span.start_time_unix_nano)

    def named(self, name: str) -> list[Span]:
        """Every span of that name, in any trace."""
        return [span for span in self.spans if span.name == name]


@asynccontextmanager
async def collecting() -> AsyncIterator[tuple[Collector, str]]:
    """A collector that listens within the block, and its URL."""
    collector = Collector()
    server = grpc.aio.server()
    rpc.add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port(f"{LOOPBACK}:0")
    await server.start()
    try:
        yield collector, f"http://{LOOPBACK}:{port}"
    finally:
        await server.stop(None)


@asynccontextmanager
async def exporting(
    endpoint: str, *, flush_seconds: float = 5, **environment: str
) -> AsyncIterator[None]:
    """Spans of this process go to the endpoint; all of them are there when the block has ended."""
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **environment}
    with mock.patch.dict(os.environ, settings):
        telemetry = start_telemetry(os.environ, "trilens-test")
        try:
            yield
        finally:
            await asyncio.to_thread(telemetry.flush, flush_seconds)
            # OpenTelemetry lets a process have one provider ever; tests want one each.
            trace._TRACER_PROVIDER_SET_ONCE = Once()
            trace._TRACER_PROVIDER = None


def attributes(span: Span) -> Mapping[str, Any]:
    """The span's attributes as Python values."""
    return {
        one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value")
        for one in span.attributes
    }


def assert_one_tree(spans: list[Span], root_parent: str) -> Span:
    """One span hangs on that parent, every other one on another of these; the former is given."""
    ids = [span.span_id for span in spans]
    assert len(ids) == len(set(ids))
    roots = [span for span in spans if span.parent_span_id.hex() == root_parent]
    assert len(roots) == 1, [span.name for span in spans]
    for span in spans:
        assert span is roots[0] or span.parent_span_id in ids, span.name
        assert span.end_time_unix_nano >= span.start_time_unix_nano
    return roots[0]
