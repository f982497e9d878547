"""Telemetry: on when the standard variables say so, and never in the way of an exit."""

import asyncio
import time
from typing import Any

import pytest
from opentelemetry.context import Context

from chassis.call import Call, Deadline, call_from_metadata
from chassis.telemetry import below, span, start_telemetry, tracer
from tests.collector import attributes, collecting, exporting
from tests.harness import LOOPBACK

PARENT = f"00-{1:032x}-{2:016x}-01"
METADATA = (("traceparent", PARENT), ("tracestate", "vendor=opaque"), ("baggage", "team=blue"))


def arriving(metadata: Any = METADATA) -> Call:
    return call_from_metadata(metadata, Deadline.after(5), "somebody")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4317", "OTEL_SDK_DISABLED": "TRUE"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4317", "OTEL_TRACES_EXPORTER": "none"},
    ],
    ids=["unset", "empty", "disabled", "no exporter"],
)
def test_without_an_endpoint_no_span_is_made(environment: dict[str, str]) -> None:
    start_telemetry(environment, "trilens-test").flush()

    with span("decode", Context()) as made:
        assert not made.is_recording()


def test_a_callers_context_travels_on_when_nothing_is_exported() -> None:
    call = arriving()
    with span("feature", call.trace) as own:
        passed_on = dict(call.under(below(own, call.trace)).metadata())

    assert {key: passed_on[key] for key, _ in METADATA} == dict(METADATA)


def test_without_a_callers_context_there_is_none_to_pass_on() -> None:
    call = arriving(())
    with span("feature", call.trace) as own:
        passed_on = dict(call.under(below(own, call.trace)).metadata())

    assert "traceparent" not in passed_on


async def test_the_next_hop_hangs_on_the_span_that_asks_it() -> None:
    async with collecting() as (collector, endpoint):
        async with exporting(endpoint):
            call = arriving()
            with span("feature", call.trace) as own:
                passed_on = dict(call.under(below(own, call.trace)).metadata())
        context = own.get_span_context()
        trace_id, span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        assert passed_on["traceparent"] == f"00-{trace_id}-{span_id}-01"
        assert passed_on["tracestate"] == "vendor=opaque"
        assert trace_id == f"{1:032x}"

    assert [one.span_id.hex() for one in collector.spans] == [span_id]


async def test_an_error_and_a_cancellation_end_a_span_as_errors() -> None:
    async with collecting() as (collector, endpoint), exporting(endpoint):
        with pytest.raises(KeyError), span("decode", Context()):
            raise KeyError
        with pytest.raises(asyncio.CancelledError), span("merge", Context()):
            raise asyncio.CancelledError

    told = {one.name: one.status.message for one in collector.spans}
    assert told == {"decode": "KeyError", "merge": "CancelledError"}
    assert {one.status.code for one in collector.spans} == {2}


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, "trilens-test"),
        ({"OTEL_SERVICE_NAME": "mine"}, "mine"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "team=blue,service.name=mine"}, "mine"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=a", "OTEL_SERVICE_NAME": "mine"}, "mine"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.namespace=photos"}, "trilens-test"),
    ],
    ids=["unnamed", "named", "among attributes", "both", "attributes alone"],
)
async def test_spans_carry_the_services_name_unless_the_operator_gives_another(
    environment: dict[str, str], name: str
) -> None:
    async with collecting() as (collector, endpoint), exporting(endpoint, **environment):
        tracer().start_span("decode", attributes={"trilens.lane": "stable"}).end()

    assert collector.services == {name}
    assert attributes(collector.spans[0]) == {"trilens.lane": "stable"}


@pytest.mark.parametrize(
    ("name", "value", "collected"),
    [("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", 1), ("OTEL_TRACES_EXPORTER", "zipkin", 0)],
)
async def test_what_is_not_offered_is_said(
    caplog: pytest.LogCaptureFixture, name: str, value: str, collected: int
) -> None:
    async with collecting() as (collector, endpoint), exporting(endpoint, **{name: value}):
        tracer().start_span("decode").end()

    assert f"{name}={value} is not offered here" in caplog.text
    assert len(collector.spans) == collected


async def test_a_collector_that_cannot_be_reached_does_not_hold_up_the_exit() -> None:
    began = time.monotonic()

    async with exporting(f"http://{LOOPBACK}:1", flush_seconds=0.2):
        tracer().start_span("decode").end()

    assert 0.2 <= time.monotonic() - began < 3
