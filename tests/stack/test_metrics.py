"""What Prometheus reads: GET /metrics of real servers, before and after calls."""

import asyncio
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from chassis.images import Pixels
from chassis.server import App, Ports, serving
from tests.fakes import FakeModel
from tests.harness import LOOPBACK, ROOT, a_photo, gateway_app, model_app, ready, server_settings
from trilens.v1 import (
    analysis_pb2,
    analysis_pb2_grpc,
    detector_pb2,
    detector_pb2_grpc,
    image_pb2,
)

DETECT = "/trilens.v1.DetectorService/DetectObjects"
ANALYZE = "/trilens.v1.ImageAnalysisService/AnalyzeImage"
ENDS = ("full", "partial", "failed", "shed", "late")
OBJECTS = {"model": "objects", "version": "1.2.3", "track": "stable"}


class Page:
    """The samples of a server's /metrics."""

    def __init__(self, text: str) -> None:
        self._values = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, metric: str, labels: Mapping[str, str] | None = None, **more: str) -> float:
        """0 for a sample that is not there."""
        return self._values.get((metric, self._key({**(labels or {}), **more})), 0.0)

    def has(self, metric: str, **labels: str) -> bool:
        """Whether that sample is there, be it 0."""
        return (metric, self._key(labels)) in self._values

    @property
    def names(self) -> frozenset[str]:
        """Those of all samples."""
        return frozenset(name for name, _ in self._values)

    @staticmethod
    def _key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        return tuple(sorted(labels.items()))


async def page(ports: Ports) -> Page:
    url = f"http://{LOOPBACK}:{ports.metrics}/metrics"
    answer = await asyncio.to_thread(urllib.request.urlopen, url, timeout=10)
    return Page(answer.read().decode())


@asynccontextmanager
async def server(app: App) -> AsyncIterator[tuple[Ports, grpc.aio.Channel]]:
    async with (
        serving(server_settings(), app) as ports,
        grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.grpc}") as channel,
    ):
        await ready(channel)
        yield ports, channel


async def detect(channel: grpc.aio.Channel, seconds: float = 10) -> None:
    request = detector_pb2.DetectObjectsRequest(image=a_photo())
    await detector_pb2_grpc.DetectorServiceStub(channel).DetectObjects(request, timeout=seconds)


async def analyze(
    channel: grpc.aio.Channel, seconds: float = 10, content: bytes | None = None
) -> None:
    image = a_photo() if content is None else image_pb2.Image(content=content)
    request = analysis_pb2.AnalyzeImageRequest(image=image)
    front = analysis_pb2_grpc.ImageAnalysisServiceStub(channel)
    await front.AnalyzeImage(request, timeout=seconds)


async def test_a_photo_is_counted_with_its_wait_its_batch_and_its_code() -> None:
    async with server(model_app(FakeModel())) as (ports, channel):
        before = await page(ports)
        await detect(channel)
        after = await page(ports)

    def more(metric: str, labels: Mapping[str, str] | None = None, **rest: str) -> float:
        return after.value(metric, labels, **rest) - before.value(metric, labels, **rest)

    assert more("trilens_predictions_total", OBJECTS, outcome="ok") == 1
    assert more("trilens_queue_seconds_count", OBJECTS) == 1
    assert more("trilens_infer_seconds_count", OBJECTS) == 1
    assert more("trilens_batch_size_sum", OBJECTS) == 1
    assert more("trilens_rpc_seconds_count", method=DETECT, code="OK") == 1
    assert more("trilens_stage_seconds_count", stage="decode") == 1
    assert after.value("trilens_in_flight", OBJECTS) == 0
    assert after.value("trilens_ready") == 1


@pytest.mark.parametrize(
    ("model", "seconds", "outcome", "code"),
    [
        (FakeModel(broken=RuntimeError("broken")), 10, "failed", "INTERNAL"),
        (FakeModel(gate=threading.Event()), 3, "late", "DEADLINE_EXCEEDED"),
    ],
    ids=["failed", "late"],
)
async def test_photos_without_an_answer_are_counted_by_why(
    model: FakeModel, seconds: float, outcome: str, code: str
) -> None:
    async with server(model_app(model)) as (ports, channel):
        before = await page(ports)
        with pytest.raises(grpc.aio.AioRpcError):
            await detect(channel, seconds)
        for _ in range(100):  # the caller may know before the server has ended the call
            after = await page(ports)
            if after.value("trilens_rpc_in_flight", method=DETECT) == 0:
                break
        release(model)

    name = "trilens_predictions_total"
    assert after.value(name, OBJECTS, outcome=outcome) == 1 + before.value(
        name, OBJECTS, outcome=outcome
    )
    codes = "trilens_rpc_seconds_count"
    assert after.value(codes, method=DETECT, code=code) == 1 + before.value(
        codes, method=DETECT, code=code
    )


async def test_the_line_and_what_it_will_take_are_told_while_the_model_is_busy() -> None:
    gate = threading.Event()
    model = FakeModel(gate=gate)
    async with server(model_app(model, slots=1)) as (ports, channel):
        first = asyncio.create_task(detect(channel))
        await asyncio.to_thread(model.began.wait, 10)
        others = [asyncio.create_task(detect(channel)) for _ in range(3)]
        async with asyncio.timeout(10):
            busy = await page(ports)
            while busy.value("trilens_queue_depth", OBJECTS) < 3:
                busy = await page(ports)
        gate.set()
        await asyncio.gather(first, *others)
        idle = await page(ports)

    assert busy.value("trilens_queue_backlog_seconds", OBJECTS) > 0
    assert busy.value("trilens_in_flight", OBJECTS) == 4
    assert busy.value("trilens_rpc_in_flight", method=DETECT) == 4
    assert idle.value("trilens_queue_depth", OBJECTS) == 0
    assert idle.value("trilens_queue_backlog_seconds", OBJECTS) == 0


class Slow(FakeModel):
    """Takes its time for every photo."""

    seconds = 0.02

    def predict(self, batch: Sequence[Pixels]) -> tuple[Any, ...]:
        """As the class says."""
        threading.Event().wait(self.seconds * len(batch))
        return super().predict(batch)


async def while_under_way(
    count: int, gate: threading.Event, ports: Ports, channel: grpc.aio.Channel
) -> Page:
    """The page while the model holds so many photos up; afterwards all are answered."""
    gate.clear()
    line = [asyncio.create_task(detect(channel, 60)) for _ in range(count)]
    async with asyncio.timeout(60):
        busy = await page(ports)
        while busy.value("trilens_in_flight", OBJECTS) < count:
            busy = await page(ports)
    gate.set()
    await asyncio.gather(*line)
    return busy


async def test_the_backlog_is_the_line_at_the_models_own_pace() -> None:
    gate = threading.Event()
    gate.set()
    async with server(model_app(Slow(gate=gate), slots=1)) as (ports, channel):
        began = time.monotonic()
        await asyncio.gather(*(detect(channel, 60) for _ in range(30)))  # its pace is known now
        slowest = time.monotonic() - began  # no photo can have taken longer
        busy = await while_under_way(20, gate, ports, channel)

    depth = busy.value("trilens_queue_depth", OBJECTS)
    told = busy.value("trilens_queue_backlog_seconds", OBJECTS)
    assert Slow.seconds * depth <= told <= slowest * depth


class Slower(Slow):
    """Takes longer than anybody would guess."""

    seconds = 0.4


async def test_a_new_process_knows_what_its_line_takes_once_a_photo_has_been_predicted() -> None:
    gate = threading.Event()
    gate.set()
    async with server(model_app(Slower(gate=gate), slots=1)) as (ports, channel):
        await detect(channel, 60)
        busy = await while_under_way(5, gate, ports, channel)

    depth = busy.value("trilens_queue_depth", OBJECTS)
    assert busy.value("trilens_queue_backlog_seconds", OBJECTS) >= Slower.seconds * depth > 0


async def test_the_gateway_counts_outcomes_by_feature_and_how_complete_answers_are() -> None:
    broken = FakeModel("caption", broken=RuntimeError("broken"))
    app = gateway_app({"detection": FakeModel(), "caption": broken})
    async with server(app) as (ports, channel):
        before = await page(ports)
        front = analysis_pb2_grpc.ImageAnalysisServiceStub(channel)
        await front.AnalyzeImage(analysis_pb2.AnalyzeImageRequest(image=a_photo()), timeout=10)
        both = [analysis_pb2.FeatureRequest(feature="captions", required=True)]
        request = analysis_pb2.AnalyzeImageRequest(image=a_photo(), features=both)
        with pytest.raises(grpc.aio.AioRpcError):
            await front.AnalyzeImage(request, timeout=10)
        after = await page(ports)

    def more(metric: str, **labels: str) -> float:
        return after.value(metric, **labels) - before.value(metric, **labels)

    seconds = "trilens_feature_seconds_count"
    assert more(seconds, feature="objects", version="1.2.3", lane="stable", outcome="ok") == 1
    assert more(seconds, feature="captions", version="", lane="stable", outcome="failed") == 2
    assert more("trilens_answers_total", completeness="partial", lane="stable") == 1
    assert more("trilens_answers_total", completeness="failed", lane="stable") == 1
    assert more("trilens_rpc_seconds_count", method=ANALYZE, code="OK") == 1


async def test_photos_that_the_gateway_itself_gives_up_count_as_shed_and_late() -> None:
    gate = threading.Event()
    model = FakeModel(gate=gate)
    settings = server_settings(lend_after=60)  # a call that only waits keeps its place
    app = gateway_app({"detection": model}, settings, max_active=1, max_waiting=1)
    async with server(app) as (ports, channel):
        before = await page(ports)
        first = asyncio.create_task(analyze(channel, seconds=60))
        await asyncio.to_thread(model.began.wait, 30)
        # One of these two finds no place in line, the other one waits in vain.
        tries = [asyncio.create_task(analyze(channel, seconds=3)) for _ in range(2)]
        await asyncio.wait(tries, return_when=asyncio.FIRST_COMPLETED)
        crowded = await page(ports)
        more = await asyncio.gather(*tries, return_exceptions=True)
        gate.set()
        await first
        with pytest.raises(grpc.aio.AioRpcError):
            await analyze(channel, content=b"no photo")
        async with asyncio.timeout(30):
            after = await page(ports)
            while after.value("trilens_rpc_in_flight", method=ANALYZE):
                after = await page(ports)

    codes = {one.code().name for one in more if isinstance(one, grpc.aio.AioRpcError)}
    assert codes == {"RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}
    ends = {
        end: after.value("trilens_answers_total", completeness=end, lane="stable")
        - before.value("trilens_answers_total", completeness=end, lane="stable")
        for end in ENDS
    }
    assert crowded.value("trilens_gateway_queue_depth") == 1
    assert after.value("trilens_gateway_queue_depth") == 0
    assert ends == {"full": 1, "partial": 0, "failed": 0, "shed": 1, "late": 1}


async def test_a_gateway_that_nobody_has_asked_says_so_of_every_end() -> None:
    async with server(gateway_app({"detection": FakeModel()})) as (ports, _):
        idle = await page(ports)

    for lane in ("stable", "canary"):
        for end in ENDS:
            assert idle.has("trilens_answers_total", completeness=end, lane=lane)


def test_a_service_says_nothing_of_what_only_gateways_have() -> None:
    names = "print(*(one.name for one in chassis.metrics.REGISTRY.collect()))"
    code = f"import chassis.metrics, services.detector.__main__; {names}"
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join((".", "client"))}
    told = subprocess.check_output((sys.executable, "-c", code), cwd=ROOT, env=paths, text=True)

    assert "trilens_ready" in told
    assert "trilens_canary_usable" not in told
    assert "trilens_gateway_queue_depth" not in told


async def test_who_asks_for_openmetrics_gets_the_same_figures_so() -> None:
    async with server(model_app(FakeModel())) as (ports, channel):
        await detect(channel)
        url = f"http://{LOOPBACK}:{ports.metrics}/metrics"
        asked = urllib.request.Request(url, headers={"Accept": "application/openmetrics-text"})
        answer = await asyncio.to_thread(urllib.request.urlopen, asked, timeout=10)
        text = answer.read().decode()
        plain = await page(ports)

    names = {
        sample.name
        for family in openmetrics.text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert text.endswith("# EOF\n")
    assert names == plain.names


async def test_no_series_is_there_for_the_birthday_of_another() -> None:
    async with server(model_app(FakeModel())) as (ports, channel):
        await detect(channel)
        told = await page(ports)

    assert [name for name in told.names if name.endswith("_created")] == []


async def test_nothing_a_caller_sends_becomes_a_label() -> None:
    async with server(model_app(FakeModel())) as (ports, channel):
        made_up = channel.unary_unary("/trilens.v1.DetectorService/MadeUp8421")
        with pytest.raises(grpc.aio.AioRpcError):
            await made_up(b"", timeout=10)
        url = f"http://{LOOPBACK}:{ports.metrics}/metrics"
        text = (await asyncio.to_thread(urllib.request.urlopen, url, timeout=10)).read()

    assert b"MadeUp8421" not in text


def release(model: FakeModel) -> None:
    """Lets a model that waits go on, so that its thread ends."""
    if model._gate is not None:
        model._gate.set()
