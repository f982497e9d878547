"""Client and AsyncClient against a real server with a script."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from tests.client.fakes import (
    FakeGateway,
    FakeModelService,
    Refusal,
    full_answer,
    serving,
)
from trilens import AsyncClient, Client, FeatureRequest
from trilens.v1 import analysis_pb2

PHOTOS = Path(__file__).parents[1] / "photos"
CLIENT = Path(__file__).parents[2] / "client"


@pytest.fixture
def gateway():
    return FakeGateway()


@pytest.fixture
def client(gateway):
    with serving(gateway) as server, Client(server) as client:
        yield client


def refuse_bad_photos(request):
    if request.image.content == b"bad":
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "image.content: not a photo")
    return full_answer()


@pytest.mark.parametrize("kind", [Path, str, lambda path: Path(path).read_bytes()])
def test_a_photo_may_be_a_path_or_bytes(client, gateway, kind):
    photo = PHOTOS / "cat.jpg"

    answer = client.analyze(kind(photo), request_id="mine", affinity_key="user 7")

    assert answer.outcomes["captions"].caption.text == "a woman smiles"
    (request,) = gateway.requests
    assert request.image.content == photo.read_bytes()
    assert (request.request_id, request.affinity_key) == ("mine", "user 7")
    assert not request.features


def test_features_are_asked_for_by_name_or_with_options(client, gateway):
    with_options = FeatureRequest(feature="objects")
    with_options.detection.score_threshold = 0.0

    client.analyze(b"photo", features=["captions", with_options], required=["objects"])

    captions, objects = gateway.requests[0].features
    assert (captions.feature, captions.required) == ("captions", False)
    assert (objects.feature, objects.required) == ("objects", True)
    assert objects.detection.HasField("score_threshold")
    assert not with_options.required  # the caller's own message is left as it was


@pytest.mark.parametrize("named", ["features", "required"])
def test_a_name_in_place_of_a_list_is_not_taken_for_its_letters(client, gateway, named):
    with pytest.raises(TypeError, match=r"in a list: \['objects'\], not 'objects'"):
        client.analyze(PHOTOS / "cat.jpg", **{named: "objects"})

    assert not gateway.requests


def test_a_required_feature_does_not_drop_the_default_ones(client, gateway):
    client.analyze(b"photo", required=["captions"])

    asked = {feature.feature: feature.required for feature in gateway.requests[0].features}
    assert asked == {"attributes": False, "objects": False, "captions": True}


class Shrinking(FakeGateway):
    """Refuses features that it no longer offers, as a gateway does."""

    def remove(self, name):
        offered = [one for one in self.capabilities.features if one.feature != name]
        self.capabilities = analysis_pb2.GetCapabilitiesResponse(features=offered)

    def AnalyzeImage(self, request, context):
        offered = {one.feature for one in self.capabilities.features}
        if {one.feature for one in request.features} - offered:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "features: unknown")
        return full_answer()


@pytest.mark.parametrize("many", [False, True])
def test_a_default_feature_that_is_gone_is_forgotten_after_one_refusal(many):
    def analyze():
        if many:
            return next(client.analyze_many([b"photo"], required=["captions"])).unwrap()
        return client.analyze(b"photo", required=["captions"])

    gateway = Shrinking()
    with serving(gateway) as server, Client(server) as client:
        assert analyze()
        gateway.remove("objects")
        with pytest.raises(grpc.RpcError, match="features: unknown"):
            analyze()
        assert analyze()


@pytest.mark.parametrize("many", [False, True])
async def test_the_async_client_forgets_features_alike(many):
    async def analyze():
        if many:
            return (await anext(client.analyze_many([b"photo"], required=["captions"]))).unwrap()
        return await client.analyze(b"photo", required=["captions"])

    gateway = Shrinking()
    with serving(gateway) as server:
        async with AsyncClient(server) as client:
            assert await analyze()
            gateway.remove("objects")
            with pytest.raises(grpc.RpcError, match="features: unknown"):
                await analyze()
            assert await analyze()


class Slow(FakeGateway):
    """Needs a moment to tell what it offers, and remembers how long calls may still take."""

    moment = 0.3  # seconds

    def GetCapabilities(self, request, context):
        threading.Event().wait(self.moment)
        return super().GetCapabilities(request, context)

    def AnalyzeImage(self, request, context):
        self.left = context.time_remaining()
        return super().AnalyzeImage(request, context)


async def test_looking_up_default_features_takes_from_the_same_timeout():
    gateway = Slow()
    with serving(gateway) as server:
        with Client(server) as client:
            client.analyze(b"photo", required=["captions"], timeout=5)
            assert gateway.left <= 5 - gateway.moment
        async with AsyncClient(server) as client:
            await client.analyze(b"photo", required=["captions"], timeout=5)
            assert gateway.left <= 5 - gateway.moment


def test_a_file_too_large_to_send_is_refused_without_reading_it(client, gateway, tmp_path):
    huge = tmp_path / "huge.tif"
    with huge.open("wb") as file:
        file.truncate(2**40)

    with pytest.raises(OSError, match="larger than 64 MiB"):
        client.analyze(huge)
    assert not gateway.requests


def test_a_timeout_ends_the_call(gateway, client):
    released = threading.Event()
    gateway.answer = lambda request: (released.wait(10), full_answer())[1]

    with pytest.raises(grpc.RpcError) as failure:
        client.analyze(b"photo", timeout=0.2)

    released.set()
    assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_capabilities_come_from_the_gateway_and_a_model_from_a_service():
    with serving(FakeGateway(), FakeModelService()) as server, Client(server) as client:
        assert len(client.capabilities().features) == 3
        assert client.model().ref.name == "objects"


def test_the_active_trace_is_passed_on_and_none_made_up(client, gateway):
    client.analyze(b"photo")
    with trace.use_span(TracerProvider().get_tracer("test").start_span("caller")) as span:
        client.analyze(b"photo")

    without, within = gateway.metadata
    assert "traceparent" not in without
    assert f"{span.get_span_context().trace_id:032x}" in within["traceparent"]


def test_many_photos_come_back_in_order_however_long_each_takes(client, gateway):
    second_done = threading.Event()

    def answer(request):
        if request.image.content == b"0":
            assert second_done.wait(10)
        elif request.image.content == b"1":
            second_done.set()
        return full_answer()

    gateway.answer = answer
    photos = [str(number).encode() for number in range(9)]

    results = list(client.analyze_many(photos, concurrency=3))

    assert [result.source for result in results] == photos
    assert [result.index for result in results] == list(range(9))
    assert all(result.unwrap().completeness for result in results)


def test_many_photos_may_come_back_as_they_are_done(client, gateway):
    rest_done = threading.Event()

    def answer(request):
        if request.image.content == b"0":
            assert rest_done.wait(10)
        return full_answer()

    gateway.answer = answer
    results = client.analyze_many([b"0", b"1", b"2"], concurrency=2, in_order=False)

    assert {next(results).index, next(results).index} == {1, 2}
    rest_done.set()
    assert next(results).index == 0


def test_no_more_calls_are_under_way_than_asked_for(client, gateway):
    together = threading.Barrier(3, timeout=10)
    gateway.answer = lambda request: (together.wait(), full_answer())[1]

    assert len(list(client.analyze_many([b"photo"] * 12, concurrency=3))) == 12
    assert gateway.most_at_once == 3


def test_a_photo_that_fails_costs_only_itself(client, gateway, tmp_path):
    gateway.answer = refuse_bad_photos

    good, bad, absent, last = client.analyze_many([b"good", b"bad", tmp_path / "absent", b"good"])

    assert good.response
    assert last.response
    assert bad.error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert isinstance(absent.error, FileNotFoundError)
    with pytest.raises(grpc.RpcError, match="not a photo"):
        bad.unwrap()


def test_photos_are_taken_only_as_their_turn_comes(client):
    taken = []

    def endless():
        while True:
            taken.append(len(taken))
            yield b"photo"

    results = client.analyze_many(endless(), concurrency=2)
    next(results)
    results.close()

    assert len(taken) <= 3


def test_leaving_early_cancels_what_is_under_way(gateway):
    cancelled = threading.Event()
    entered = threading.Event()

    class Watching(FakeGateway):
        def AnalyzeImage(self, request, context):
            if request.image.content == b"slow":
                context.add_callback(cancelled.set)
                entered.set()
                assert cancelled.wait(10)
            return full_answer()

    with serving(Watching()) as server, Client(server) as client:
        results = client.analyze_many([b"quick", b"slow"], concurrency=2, timeout=60)
        next(results)
        assert entered.wait(10)
        results.close()
        assert cancelled.wait(10)


@pytest.mark.parametrize("concurrency", [0, -1])
def test_a_concurrency_below_one_is_refused_at_once(client, concurrency):
    with pytest.raises(ValueError, match="concurrency"):
        client.analyze_many([b"photo"], concurrency=concurrency)


async def test_the_async_client_answers_alike(gateway):
    gateway.answer = refuse_bad_photos
    with serving(gateway, FakeModelService()) as server:
        async with AsyncClient(server) as client:
            answer = await client.analyze(PHOTOS / "cat.jpg", required=["captions"])
            photos = [b"1", b"bad", b"3", Path("absent.jpg")]
            results = [r async for r in client.analyze_many(photos, concurrency=2)]
            unordered = {r.index async for r in client.analyze_many([b"photo"] * 5, in_order=False)}
            assert (await client.model()).ref.name == "objects"

    assert answer.completeness == analysis_pb2.COMPLETENESS_FULL
    assert {feature.feature for feature in gateway.requests[0].features} == {
        "attributes",
        "captions",
        "objects",
    }
    assert [r.source for r in results] == photos
    assert [type(r.error).__name__ for r in results] == [
        "NoneType",
        "AioRpcError",
        "NoneType",
        "FileNotFoundError",
    ]
    assert unordered == set(range(5))


async def test_the_async_client_bounds_its_calls_and_cancels_them_when_left(gateway):
    cancelled = threading.Event()

    class Watching(FakeGateway):
        def AnalyzeImage(self, request, context):
            context.add_callback(cancelled.set)
            if request.image.content == b"slow":
                assert cancelled.wait(10)
            return super().AnalyzeImage(request, context)

    with serving(Watching()) as server:
        async with AsyncClient(server) as client:
            results = client.analyze_many([b"quick", *[b"slow"] * 5], concurrency=2, timeout=60)
            assert (await anext(results)).response
            await results.aclose()
            with pytest.raises(ValueError, match="concurrency"):
                await anext(client.analyze_many([b"photo"], concurrency=0))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is needed to make a key")
def test_tls_trusts_the_certificates_given_and_no_others(gateway, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        f" -subj /CN=test -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {certificate}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    pair = (key.read_bytes(), certificate.read_bytes())

    with serving(gateway, credentials=grpc.ssl_server_credentials((pair,))) as server:
        with Client(server, root_certificates=certificate) as client:
            assert client.analyze(b"photo").completeness
        with (
            Client(server, tls=True) as stranger,
            pytest.raises(grpc.RpcError) as failure,
        ):
            stranger.analyze(b"photo", timeout=10)
        assert failure.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_server_that_needs_only_the_stubs_loads_no_client():
    code = "import sys, trilens.v1.analysis_pb2; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(CLIENT)},
        capture_output=True,
        check=True,
        text=True,
    )

    loaded = set(ran.stdout.split())
    assert "trilens.v1.analysis_pb2" in loaded
    assert not {"grpc", "rich", "click", "trilens.client", "trilens.aio"} & loaded
