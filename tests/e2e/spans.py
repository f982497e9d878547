"""Takes spans that pods send: `python -m tests.e2e.spans HOST:PORT FILE`, a line of JSON each."""

import asyncio
import json
import sys
from pathlib import Path
from typing import IO, Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as rpc

from chassis.telemetry import REQUEST_ID

_POD = "k8s.pod.name"


class Spans(rpc.TraceServiceServicer):
    """Writes down who sent each span, and what it hangs on."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    async def Export(self, request: pb.ExportTraceServiceRequest, _: Any) -> Any:
        for resource in request.resource_spans:
            told = {one.key: one.value.string_value for one in resource.resource.attributes}
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                said = {one.key: one.value.string_value for one in span.attributes}
                line = {
                    "trace": span.trace_id.hex(),
                    "span": span.span_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "name": span.name,
                    "pod": told.get(_POD, ""),
                    "request": said.get(REQUEST_ID, ""),
                }
                self._file.write(json.dumps(line) + "\n")
        return pb.ExportTraceServiceResponse()


async def main(address: str, path: Path) -> None:
    """Serves until it is ended."""
    with path.open("w", buffering=1) as file:
        server = grpc.aio.server()
        rpc.add_TraceServiceServicer_to_server(Spans(file), server)
        server.add_insecure_port(address)
        await server.start()
        await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
