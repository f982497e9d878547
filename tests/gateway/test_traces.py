"""Every call is one complete trace: hosted and remote, good, partial, shed, late or cancelled."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import grpc
import pytest
from google.rpc import error_details_pb2
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from prometheus_client.openmetrics import exposition as openmetrics

from chassis.metrics import REGISTRY
from tests.children import GATEWAY, child
from tests.collector import Collector, assert_one_tree, attributes, collecting, exporting
from tests.fates import (
    FAILED,
    OK,
    PHOTO,
    SHED,
    TIMED_OUT,
    Fates,
    ask,
    gateway,
    named,
    services,
)
from tests.harness import running
from tests.statuses import detail, reason, status_of
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc

GOOD = [named("attributes", OK), named("captions", OK)]
CALLS = {
    "good": [*GOOD, named("objects", OK)],
    "partial": [*GOOD, named("objects", FAILED)],
    "shed": [*GOOD, named("objects", SHED)],
    "late": [*GOOD, named("objects", TIMED_OUT)],
    "cancelled": [*GOOD, named("objects", TIMED_OUT)],
    "unsampled": [*GOOD, named("objects", OK)],
}
PLACES = ("hosted", "remote")
NAMES = sorted({name for names in CALLS.values() for name in names})
CALLER = "00f067aa0ba902b7"
STATE = "vendor=opaque"
SERVER = "trilens.v1.ImageAnalysisService/AnalyzeImage"


def trace_id(place: str, call: str) -> str:
    return f"{PLACES.index(place) + 1}{list(CALLS).index(call) + 1:031x}"


@dataclass(frozen=True)
class Run:
    """What the collector got, and what was logged meanwhile."""

    collector: Collector
    warnings: tuple[str, ...]


@pytest.fixture(scope="module")
def run() -> Run:
    return asyncio.run(_run())


class Warnings(logging.Handler):
    """Whatever OpenTelemetry complains of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


async def _run() -> Run:
    warnings = Warnings()
    logging.getLogger("opentelemetry").addHandler(warnings)
    async with collecting() as (collector, endpoint), exporting(endpoint):
        for place, deployment in (("hosted", hosted), ("remote", remote)):
            async with deployment() as channel:
                for call in CALLS:
                    await _ask(channel, place, call)
    logging.getLogger("opentelemetry").removeHandler(warnings)
    return Run(collector, tuple(warnings.lines))


async def _ask(channel: grpc.aio.Channel, place: str, call: str) -> None:
    flags = "00" if call == "unsampled" else "01"
    request = pb.AnalyzeImageRequest(
        image={"content": PHOTO},
        features=[{"feature": name} for name in CALLS[call]],
        request_id=f"{place}-{call}",
    )
    asked = rpc.ImageAnalysisServiceStub(channel).AnalyzeImage(
        request,
        timeout=1 if call == "late" else 20,
        metadata=(
            ("traceparent", f"00-{trace_id(place, call)}-{CALLER}-{flags}"),
            ("tracestate", STATE),
        ),
    )
    if call != "cancelled":
        response = await asked
        full = call in ("good", "unsampled")
        expected = pb.COMPLETENESS_FULL if full else pb.COMPLETENESS_PARTIAL
        assert response.completeness == expected, call
        return
    # Late enough for two features to have answered, long before the third one could.
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(_end(asked))), 0.3)
    asked.cancel()
    with suppress(asyncio.CancelledError):
        await asked


async def _end(asked: "grpc.aio.UnaryUnaryCall[object, object]") -> None:
    await asked.code()


@asynccontextmanager
async def hosted() -> AsyncIterator[grpc.aio.Channel]:
    fates = Fates()
    async with running(gateway(dict.fromkeys(NAMES), fates)) as channel:
        async with fates.full(channel):
            yield channel
        fates.release()


@asynccontextmanager
async def remote() -> AsyncIterator[grpc.aio.Channel]:
    fates = Fates()
    async with AsyncExitStack() as stack:
        targets = await stack.enter_async_context(services(NAMES, fates))
        channel = await stack.enter_async_context(running(gateway(targets, fates)))
        async with fates.full(channel):
            yield channel
        fates.release()


@pytest.mark.parametrize("call", [call for call in CALLS if call != "unsampled"])
@pytest.mark.parametrize("place", PLACES)
def test_a_call_is_one_complete_trace_below_its_caller(run: Run, place: str, call: str) -> None:
    spans = run.collector.trace(trace_id(place, call))

    root = assert_one_tree(spans, CALLER)

    assert root.name == SERVER
    assert root.kind == Span.SPAN_KIND_SERVER
    names = [span.name for span in spans]
    assert names.count("decode") == 1
    assert names.count("feature") == 3
    assert names.count("merge") == (call != "cancelled")
    assert {span.trace_state for span in spans} == {STATE}


@pytest.mark.parametrize(
    ("call", "queue", "infer"),
    [("good", 3, 3), ("partial", 3, 3), ("shed", 2, 2), ("late", 3, 3), ("cancelled", 3, 2)],
)
@pytest.mark.parametrize("place", PLACES)
def test_each_photo_has_its_wait_and_its_inference(
    run: Run, place: str, call: str, queue: int, infer: int
) -> None:
    names = [span.name for span in run.collector.trace(trace_id(place, call))]

    assert names.count("queue") == queue
    # Of the two calls for the model that hangs, the first is in its batch, the other one waits.
    assert names.count("infer") == infer


@pytest.mark.parametrize(
    ("call", "outcome", "code"),
    [
        ("good", "ok", "OK"),
        ("partial", "failed", "OK"),
        ("shed", "shed", "OK"),
        ("late", "timed_out", "OK"),
        ("cancelled", "cancelled", "CANCELLED"),
    ],
)
@pytest.mark.parametrize("place", PLACES)
def test_spans_tell_how_it_ended(run: Run, place: str, call: str, outcome: str, code: str) -> None:
    spans = run.collector.trace(trace_id(place, call))
    root = attributes(spans[0])
    features = {
        attributes(span)["trilens.feature"]: span for span in spans if span.name == "feature"
    }
    objects = features.pop(CALLS[call][2])

    assert root["rpc.system.name"] == "grpc"
    assert root["rpc.method"] == SERVER
    assert root["rpc.response.status_code"] == code
    assert root["trilens.outcome"] == ("cancelled" if call == "cancelled" else "ok")
    assert spans[0].status.code == Status.STATUS_CODE_UNSET  # a caller may change its mind
    assert attributes(objects)["trilens.outcome"] == outcome
    assert (objects.status.code == Status.STATUS_CODE_ERROR) == (outcome != "ok")
    for span in features.values():
        assert attributes(span)["trilens.outcome"] == "ok"
    if call != "cancelled":
        (merge,) = (span for span in spans if span.name == "merge")
        expected = "full" if call == "good" else "partial"
        assert attributes(merge)["trilens.completeness"] == expected


@pytest.mark.parametrize("place", PLACES)
def test_a_service_that_is_asked_in_vain_ends_its_part_as_cancelled(run: Run, place: str) -> None:
    spans = run.collector.trace(trace_id(place, "cancelled"))
    served = [span for span in spans if span.name == "trilens.v1.DetectorService/DetectObjects"]

    assert len(served) == (place == "remote")
    for span in served:
        assert attributes(span)["trilens.outcome"] == "cancelled"


@pytest.mark.parametrize("place", PLACES)
def test_attributes_say_which_model_answered_whom(run: Run, place: str) -> None:
    spans = run.collector.trace(trace_id(place, "good"))
    root = attributes(spans[0])
    assert root["trilens.request_id"] == f"{place}-good"
    assert root["trilens.lane"] == "stable"
    for span in spans:
        found = attributes(span)
        if span.name in ("queue", "infer"):
            assert found["trilens.request_id"] == f"{place}-good"
            assert found["trilens.lane"] == "stable"
        if span.name in ("feature", "queue", "infer"):
            assert found["trilens.model.name"] in ("attributes", "captions", "objects")
            assert found["trilens.model.version"] == "1.2.3"
        if span.name == "infer":
            assert found["trilens.batch.size"] == 1
            assert found["trilens.outcome"] == "ok"


def test_a_batch_is_a_trace_of_its_own_linked_both_ways(run: Run) -> None:
    batches = {span.span_id: span for span in run.collector.named("batch")}
    members = {span.span_id: span for span in run.collector.named("infer")}

    assert members
    for span_id, member in members.items():
        (link,) = member.links
        batch = batches[link.span_id]
        assert link.trace_id == batch.trace_id != member.trace_id
        assert span_id in {one.span_id for one in batch.links}
    for batch in batches.values():
        assert batch.parent_span_id == b""
        assert len(run.collector.trace(batch.trace_id.hex())) == 1
        assert 1 <= len(batch.links) <= attributes(batch)["trilens.batch.size"]
        assert {link.span_id for link in batch.links} <= members.keys()


@pytest.mark.parametrize("place", PLACES)
def test_what_the_caller_does_not_sample_leaves_no_trace(run: Run, place: str) -> None:
    unsampled = trace_id(place, "unsampled")

    assert run.collector.trace(unsampled) == []
    linked = {link.trace_id.hex() for span in run.collector.spans for link in span.links}
    assert unsampled not in linked


def test_every_span_ends_once(run: Run) -> None:
    ids = [(span.trace_id, span.span_id) for span in run.collector.spans]

    assert len(ids) == len(set(ids))
    assert run.warnings == ()


async def test_a_call_without_a_caller_of_its_own_begins_a_trace() -> None:
    async with collecting() as (collector, endpoint):
        await _one_call(endpoint, {})

    (root,) = collector.named(SERVER)
    assert_one_tree(collector.trace(root.trace_id.hex()), "")
    assert collector.services == {"trilens-test"}


async def test_each_photo_of_a_batch_has_a_branch_of_its_own() -> None:
    item = pb.AnalyzeImageRequest(image={"content": PHOTO}, request_id="first")
    broken = pb.AnalyzeImageRequest(request_id="second")
    async with (
        collecting() as (collector, endpoint),
        exporting(endpoint),
        running(gateway(dict.fromkeys(GOOD), Fates())) as channel,
    ):
        await rpc.ImageAnalysisServiceStub(channel).BatchAnalyzeImages(
            pb.BatchAnalyzeImagesRequest(requests=[item, broken]), timeout=5
        )

    (root,) = collector.named("trilens.v1.ImageAnalysisService/BatchAnalyzeImages")
    spans = collector.trace(root.trace_id.hex())
    assert_one_tree(spans, "")
    items = {attributes(one)["trilens.request_id"]: one for one in collector.named("item")}
    assert {one.parent_span_id for one in items.values()} == {root.span_id}
    below = [one.name for one in spans if one.parent_span_id == items["first"].span_id]
    assert sorted(below) == ["decode", "feature", "feature", "merge"]
    assert items["second"].status.code == Status.STATUS_CODE_ERROR


async def test_calls_that_find_the_gateway_full_are_traces_too() -> None:
    stuck = named("objects", TIMED_OUT)
    fates = Fates()
    async with collecting() as (collector, endpoint):
        app = gateway({stuck: None}, fates, max_active=1, max_waiting=1)
        async with exporting(endpoint), running(app) as channel:
            calls = (ask(channel, [stuck], seconds=1) for _ in range(6))
            ends = await asyncio.gather(*calls, return_exceptions=True)
            fates.release()

    statuses = [status_of(end) for end in ends if isinstance(end, grpc.aio.AioRpcError)]
    shed = [one for one in statuses if one.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]]
    assert len(shed) >= 2
    for status in shed:
        assert reason(status) == "QUEUE_FULL"
        assert detail(status, error_details_pb2.RetryInfo) is not None
    roots = collector.named(SERVER)
    assert len(roots) == 6
    for root in roots:
        spans = collector.trace(root.trace_id.hex())
        assert_one_tree(spans, "")
        error = root.status.code == Status.STATUS_CODE_ERROR
        if attributes(root)["trilens.outcome"] == "shed":
            assert [one.name for one in spans] == [SERVER, "admit"]
            assert not error
        else:
            assert attributes(root)["error.type"] == "DEADLINE_EXCEEDED"
            assert error


@pytest.mark.parametrize(("flags", "leads"), [("01", True), ("00", False)], ids=["kept", "not"])
async def test_the_seconds_of_a_call_lead_to_its_trace_if_that_is_kept(
    flags: str, leads: bool
) -> None:
    own = f"{7:031x}{flags[1]}"
    async with (
        collecting() as (_, endpoint),
        exporting(endpoint),
        running(gateway({GOOD[0]: None}, Fates())) as channel,
    ):
        await rpc.ImageAnalysisServiceStub(channel).AnalyzeImage(
            pb.AnalyzeImageRequest(image={"content": PHOTO}),
            timeout=20,
            metadata=(("traceparent", f"00-{own}-{CALLER}-{flags}"),),
        )
        page = openmetrics.generate_latest(REGISTRY).decode()

    buckets = [line for line in page.splitlines() if line.startswith("trilens_rpc_seconds_bucket")]
    assert any(f'# {{trace_id="{own}"}}' in line for line in buckets) == leads


async def test_descriptions_are_part_of_the_call_that_asks_for_them_and_else_of_no_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    describe = "trilens.v1.ModelService/GetModel"
    fates = Fates()
    async with collecting() as (collector, endpoint), AsyncExitStack() as stack:
        stack.enter_context(caplog.at_level(logging.INFO))
        async with exporting(endpoint):
            targets = await stack.enter_async_context(services([GOOD[0]], fates))
            channel = await stack.enter_async_context(running(gateway(targets, fates)))
            await ask(channel, [GOOD[0]])
            by_itself = [line for line in caplog.messages if describe in line]
            await rpc.ImageAnalysisServiceStub(channel).GetCapabilities(
                pb.GetCapabilitiesRequest(),
                timeout=20,
                metadata=(("traceparent", f"00-{trace_id('remote', 'good')}-{CALLER}-01"),),
            )

    assert by_itself == []
    described = {span.trace_id.hex() for span in collector.named(describe)}
    assert described == {trace_id("remote", "good")}


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_TRACES_SAMPLER": "always_off"},
        {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
    ],
    ids=lambda environment: next(iter(environment)),
)
async def test_the_standard_variables_switch_traces_off(environment: Mapping[str, str]) -> None:
    async with collecting() as (collector, endpoint):
        await _one_call(endpoint, environment)

    assert collector.spans == []


async def _one_call(endpoint: str, environment: Mapping[str, str]) -> None:
    fates = Fates()
    async with (
        exporting(**{"endpoint": endpoint, **environment}),
        running(gateway({GOOD[0]: None}, fates)) as channel,
    ):
        await rpc.ImageAnalysisServiceStub(channel).AnalyzeImage(
            pb.AnalyzeImageRequest(image={"content": PHOTO}), timeout=5
        )


@pytest.mark.stack
async def test_one_trace_spans_processes_and_is_sent_before_they_end() -> None:
    names = CALLS["good"]
    async with AsyncExitStack() as stack:
        collector, endpoint = await stack.enter_async_context(collecting())
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        async with (
            child(dict.fromkeys(names, 0), OTEL_SERVICE_NAME="models", **environment) as models,
            child({GATEWAY: dict(models.targets)}, **environment) as front,
            grpc.aio.insecure_channel(front.targets[GATEWAY]) as channel,
        ):
            await _ask(channel, "remote", "good")
            statuses = await asyncio.gather(front.stop(), models.stop())

    root = assert_one_tree(collector.trace(trace_id("remote", "good")), CALLER)
    assert root.name == SERVER
    assert len(collector.named("infer")) == 3
    assert collector.services == {"models", "trilens-test"}
    assert statuses == [0, 0]
