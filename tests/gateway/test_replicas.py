"""A service of several processes behind one name: real servers on addresses of the loopback."""

import asyncio
import gc
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import numpy as np
import psutil
import pytest

from chassis.images import Pixels
from chassis.server import serving
from gateway.addresses import Name
from gateway.backends import Backend
from gateway.outcomes import Answered, Failure
from gateway.remote import RemoteBackend
from gateway.tasks import TASKS
from tests.fakes import FakeModel, fake_package
from tests.harness import a_call, a_photo, gateway_app, model_app, running, server_settings
from tests.names import Names, free_port
from tests.releases import value
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import (
    analysis_pb2_grpc,
    detector_pb2,
    detector_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
)

NAME = "detector.test"
A, B, C = "127.0.0.2", "127.0.0.3", "127.0.0.4"
PHOTO = Pixels(np.zeros((8, 8, 3), np.uint8))
DETECTION = TASKS["detection"]
PATIENCE_SECONDS = 30


class Pods:
    """The servers behind the name, each at its own address, and what DNS says of them."""

    def __init__(self, names: Names, stack: AsyncExitStack) -> None:
        self.port = free_port()
        self.models: dict[str, FakeModel] = {}
        self._names = names
        self._stack = stack

    @property
    def target(self) -> str:
        return f"dns:///{NAME}:{self.port}"

    async def serve(
        self, address: str, model: FakeModel | None = None, **settings: Any
    ) -> AsyncExitStack:
        """Serves there; the result's aclose() drains."""
        self.models[address] = model or FakeModel()
        own = await self._stack.enter_async_context(AsyncExitStack())
        where = server_settings(host=address, port=self.port, **settings)
        await own.enter_async_context(serving(where, model_app(self.models[address])))
        return own

    async def speak(self, address: str, servicer: Any) -> None:
        """Has that servicer answer there, which knows nothing of health."""
        server = grpc.aio.server()
        detector_pb2_grpc.add_DetectorServiceServicer_to_server(servicer, server)
        if isinstance(servicer, model_pb2_grpc.ModelServiceServicer):
            model_pb2_grpc.add_ModelServiceServicer_to_server(servicer, server)
        server.add_insecure_port(f"{address}:{self.port}")
        await server.start()
        self._stack.push_async_callback(server.stop, None)

    def named(self, *addresses: str) -> None:
        """What DNS says from now on."""
        self._names.say(NAME, addresses)

    def unnamed(self) -> None:
        """DNS fails from now on."""
        self._names.fail(NAME)

    def seen(self) -> Counter[str]:
        """Photos by who predicted them."""
        return Counter({address: len(model.seen) for address, model in self.models.items()})


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    monkeypatch.setattr("gateway.lookout._LOOK_UP_SECONDS", 0.05)
    return Names(monkeypatch)


@pytest.fixture
async def pods(names: Names) -> AsyncIterator[Pods]:
    async with AsyncExitStack() as stack:
        yield Pods(names, stack)


@asynccontextmanager
async def backend(pods: Pods, version: str | None = None) -> AsyncIterator[RemoteBackend]:
    made = RemoteBackend("objects", DETECTION, pods.target, version)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def ask(backend: Backend, seconds: float = PATIENCE_SECONDS) -> Answered | Failure:
    return await backend.answer(PHOTO, DETECTION.no_options, a_call(seconds))


async def load(backend: Backend, calls: int = 120, callers: int = 6) -> Counter[int]:
    """States of so many calls, made by so many callers with one at a time each."""
    ends: Counter[int] = Counter()

    async def caller() -> None:
        for _ in range(calls // callers):
            end = await ask(backend)
            ends[pb.STATE_OK if isinstance(end, Answered) else end.state] += 1

    await asyncio.gather(*(caller() for _ in range(callers)))
    return ends


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.01)


async def answering(backend: Backend, pods: Pods, *addresses: str) -> None:
    """Waits until each of those answers, and forgets what they have seen."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not all(pods.models[address].seen for address in addresses):
            await asyncio.gather(*(ask(backend) for _ in range(2 * len(addresses))))
            await asyncio.sleep(0.02)
    for model in pods.models.values():
        model.batches.clear()


def own_ports(port: int) -> set[int]:
    """This side's ends of the connections to servers on that port."""
    return {
        one.laddr.port
        for one in psutil.Process().net_connections("tcp")
        if one.raddr and one.raddr.port == port and one.status == psutil.CONN_ESTABLISHED
    }


def connections(address: str) -> int:
    """How many connections to a server at that address are open."""
    return sum(
        one.status == psutil.CONN_ESTABLISHED and one.laddr.ip.removeprefix("::ffff:") == address
        for one in psutil.Process().net_connections("tcp")
    )


class Refuses(detector_pb2_grpc.DetectorServiceServicer):
    """Ends every call with that code."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self.asked = 0
        self._code = code

    async def DetectObjects(self, _: Any, context: Any) -> detector_pb2.DetectObjectsResponse:
        self.asked += 1
        await context.abort(self._code, "leaving")
        raise AssertionError("unreachable")


class Holds(detector_pb2_grpc.DetectorServiceServicer):
    """Answers once the gate is open."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate = asyncio.Event()

    async def DetectObjects(self, _: Any, __: Any) -> detector_pb2.DetectObjectsResponse:
        self.asked += 1
        await self.gate.wait()
        return detector_pb2.DetectObjectsResponse()


class SlowToTell(detector_pb2_grpc.DetectorServiceServicer, model_pb2_grpc.ModelServiceServicer):
    """Takes that many seconds to describe its model, of which it tells next to nothing."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.asked = 0
        self.seen: list[tuple[int, int]] = []

    async def DetectObjects(self, request: Any, _: Any) -> detector_pb2.DetectObjectsResponse:
        self.seen.append((request.image.pixels.width, request.image.pixels.height))
        return detector_pb2.DetectObjectsResponse()

    async def GetModel(self, _: Any, __: Any) -> model_pb2.GetModelResponse:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        return model_pb2.GetModelResponse(model=model_pb2.Model(summary="slow"))


async def test_every_replica_behind_a_name_gets_its_share(pods: Pods) -> None:
    for address in (A, B, C):
        await pods.serve(address)
    pods.named(A, B, C)
    async with backend(pods) as service:
        await answering(service, pods, A, B, C)

        assert await load(service, 300) == {pb.STATE_OK: 300}

    assert min(pods.seen().values()) >= 0.8 * 100, pods.seen()


async def test_a_replica_that_comes_later_gets_its_share_of_what_follows(pods: Pods) -> None:
    await pods.serve(A)
    pods.named(A)
    async with backend(pods) as service:
        await answering(service, pods, A)
        await pods.serve(B)
        pods.named(A, B)
        await answering(service, pods, B)

        await load(service, 200)

    assert min(pods.seen().values()) >= 0.8 * 100, pods.seen()


async def test_a_busy_replica_is_spared_while_another_one_is_idle(pods: Pods) -> None:
    gates = {address: threading.Event() for address in (A, B)}
    for address, gate in gates.items():
        gate.set()
        await pods.serve(address, FakeModel(gate=gate))
    pods.named(A, B)
    async with backend(pods) as service:
        await answering(service, pods, A, B)
        for gate in gates.values():
            gate.clear()
        held = asyncio.create_task(ask(service))
        await until(lambda: pods.seen().total() == 1)
        (busy,) = (address for address, seen in pods.seen().items() if seen)
        (idle,) = gates.keys() - {busy}
        gates[idle].set()
        for _ in range(20):
            assert isinstance(await ask(service), Answered)
        gates[busy].set()
        assert isinstance(await held, Answered)

    assert pods.seen() == {idle: 20, busy: 1}


async def test_a_replica_that_is_no_longer_named_finishes_its_calls_and_gets_no_more(
    pods: Pods,
) -> None:
    gate = threading.Event()
    await pods.serve(A, FakeModel(gate=gate))
    await pods.serve(B)
    pods.named(A)
    async with backend(pods) as service:
        held = asyncio.create_task(ask(service))
        await until(lambda: pods.seen()[A] == 1)
        pods.named(B)
        await until(lambda: connections(B) == 1)
        assert await load(service, 24) == {pb.STATE_OK: 24}
        assert pods.seen() == {A: 1, B: 24}
        assert connections(A) == 1
        gate.set()

        assert isinstance(await held, Answered)
        await until(lambda: connections(A) == 0)


async def test_while_dns_fails_the_replicas_stay_as_known(pods: Pods, names: Names) -> None:
    await pods.serve(A)
    pods.named(A)
    async with backend(pods) as service:
        await answering(service, pods, A)
        pods.unnamed()
        asked = names.asked
        await until(lambda: names.asked > asked + 3)

        assert await load(service, 12) == {pb.STATE_OK: 12}


async def test_the_last_replica_is_asked_while_it_is_ready_though_no_name_leads_to_it(
    pods: Pods, names: Names
) -> None:
    last = await pods.serve(A)
    pods.named(A)
    async with backend(pods) as service:
        await answering(service, pods, A)
        pods.named()
        asked = names.asked
        await until(lambda: names.asked > asked + 3)
        assert isinstance(await ask(service), Answered)

        await last.aclose()
        end = await ask(service)

    assert isinstance(end, Failure)
    assert end.status.message == "no service answers for objects"


async def test_a_name_that_can_be_none_is_told_to_the_caller_at_once_and_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = RemoteBackend("objects", DETECTION, "dns:///detector..svc:50051")
    await made.start()

    async with asyncio.timeout(PATIENCE_SECONDS):
        end = await ask(made, seconds=2 * PATIENCE_SECONDS)
    await made.stop()

    assert isinstance(end, Failure)
    assert end.status.message == "no service answers for objects"
    assert "detector..svc cannot be the name of anything" in caplog.text


async def test_an_address_where_nobody_answers_is_told_once_in_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.replica._SILENT_SECONDS", 0.0)
    address = f"127.0.0.1:{free_port()}"
    made = RemoteBackend("objects", DETECTION, address)
    await made.start()
    told = f"no model at {address} for 0 s; is the address right?"
    await until(lambda: told in caplog.text)

    await asyncio.sleep(2)  # it is asked again every second

    assert caplog.text.count("no model at") == 1
    await made.stop()


async def test_where_nobody_is_named_the_caller_is_told_at_once(pods: Pods) -> None:
    async with backend(pods) as service:
        end = await ask(service)

    assert isinstance(end, Failure)
    assert end.state == pb.STATE_FAILED
    assert end.status.message == "no service answers for objects"


async def test_a_replica_that_has_just_come_answers_the_first_call(
    pods: Pods, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.lookout._LOOK_UP_SECONDS", 2 * PATIENCE_SECONDS)
    await pods.serve(A)
    async with backend(pods) as service:
        await until(lambda: names.asked == 1)  # and it said that there is nobody
        await asyncio.sleep(0.2)
        pods.named(A)

        assert isinstance(await ask(service), Answered)


async def test_a_replica_in_place_of_the_only_one_answers_the_first_call(
    pods: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.lookout._LOOK_UP_SECONDS", 2 * PATIENCE_SECONDS)
    only = await pods.serve(A)
    pods.named(A)
    async with backend(pods) as service:
        await answering(service, pods, A)
        await only.aclose()
        await pods.serve(B)
        pods.named(B)

        assert isinstance(await ask(service), Answered)


async def test_calls_that_find_nobody_do_not_each_ask_the_name_servers(
    pods: Pods, names: Names
) -> None:
    async with backend(pods) as service:
        began = time.monotonic()
        assert await load(service, 600) == {pb.STATE_FAILED: 600}
        seconds = time.monotonic() - began

        # One in a twentieth of a second anyway, one in a tenth for calls, and those that begin it.
        assert names.asked <= 30 * seconds + 5


async def test_calls_wait_for_slow_name_servers_but_not_long(
    pods: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(_: Name) -> frozenset[str]:
        await asyncio.sleep(2 * PATIENCE_SECONDS)
        return frozenset()

    monkeypatch.setattr(Name, "addresses", slow)
    monkeypatch.setattr("gateway.remote._MEET_SECONDS", 0.0)
    async with backend(pods) as service, asyncio.timeout(PATIENCE_SECONDS):
        assert isinstance(await ask(service, 2 * PATIENCE_SECONDS), Failure)


@pytest.mark.parametrize("steps", range(6))
async def test_a_service_can_be_left_at_any_moment_after_a_call_that_found_nobody(
    pods: Pods, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.lookout._LOOK_UP_SECONDS", 10 * PATIENCE_SECONDS)
    made = RemoteBackend("objects", DETECTION, pods.target)
    await made.start()
    await asyncio.sleep(0.2)
    asking = asyncio.create_task(ask(made))
    for _ in range(steps):
        await asyncio.sleep(0)

    stopping = asyncio.create_task(made.stop())

    done, _ = await asyncio.wait((stopping,), timeout=PATIENCE_SECONDS)
    assert done
    await asking


async def test_an_unforeseen_error_in_a_look_up_does_not_end_the_look_out(
    pods: Pods, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    look_up = Name.addresses
    looks = 0

    async def breaks_once(name: Name) -> frozenset[str]:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise RuntimeError("can't start new thread")
        return await look_up(name)

    monkeypatch.setattr(Name, "addresses", breaks_once)
    async with backend(pods) as service:
        await until(lambda: looks > 2)
        await pods.serve(A)
        pods.named(A)
        await answering(service, pods, A)

    assert caplog.text.count("RuntimeError: can't start new thread") == 1


async def test_a_gateway_begins_with_the_replicas_that_are_there(pods: Pods) -> None:
    await pods.serve(A)
    pods.named(A)
    made = RemoteBackend("objects", DETECTION, pods.target)

    await made.start()

    assert connections(A) == 1
    await made.stop()


async def test_a_gateway_waits_for_name_servers_that_do_not_answer_at_first(pods: Pods) -> None:
    await pods.serve(A)
    pods.unnamed()
    made = RemoteBackend("objects", DETECTION, pods.target)
    starting = asyncio.create_task(made.start())
    await asyncio.sleep(0.3)
    assert not starting.done()

    pods.named(A)
    await starting

    assert isinstance(await ask(made), Answered)
    await made.stop()


@pytest.mark.parametrize("named", [(), (A,)], ids=["nobody is named", "nobody listens there"])
async def test_a_gateway_begins_at_once_where_nobody_is_to_be_met(
    pods: Pods, named: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.remote._MEET_SECONDS", 2 * PATIENCE_SECONDS)
    pods.named(*named)
    made = RemoteBackend("objects", DETECTION, pods.target)

    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await made.start()

    await made.stop()


async def test_a_gateway_begins_without_a_replica_that_says_nothing(
    pods: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.remote._MEET_SECONDS", 0.2)
    with socket.create_server((A, pods.port)):  # connections are taken, and nothing is said
        pods.named(A)
        made = RemoteBackend("objects", DETECTION, pods.target)

        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await made.start()

        await made.stop()


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED])
async def test_a_call_that_one_replica_turns_away_is_answered_by_another(
    pods: Pods, code: grpc.StatusCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.replica._JUST_NOW_SECONDS", 0.0)

    def retries() -> float:
        return value("trilens_retries_total", feature="objects", track="stable")

    before = retries()
    leaving = Refuses(code)
    await pods.serve(A)
    await pods.speak(B, leaving)
    pods.named(A)
    async with backend(pods) as service:
        await answering(service, pods, A)
        pods.named(A, B)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not leaving.asked:
                await ask(service)
        turned_away, seen = leaving.asked, pods.seen()[A]

        # Fewer than the budget for retries allows, even if each is turned away once.
        assert await load(service, 42) == {pb.STATE_OK: 42}

    assert leaving.asked > turned_away
    assert pods.seen()[A] == seen + 42
    assert retries() == before + leaving.asked


async def test_a_full_replica_is_not_sent_all_calls_for_refusing_them_so_fast(pods: Pods) -> None:
    full = Refuses(grpc.StatusCode.RESOURCE_EXHAUSTED)
    await pods.serve(A)
    await pods.speak(B, full)
    pods.named(A, B)
    async with backend(pods) as service:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (full.asked and pods.seen()[A]):
                await ask(service)
        before = full.asked

        ends = await load(service, 396)

    assert 396 - ends[pb.STATE_OK] == full.asked - before <= 100


async def test_a_replica_that_turns_calls_away_is_not_sent_all_of_them_for_being_idle(
    pods: Pods,
) -> None:
    lost = Refuses(grpc.StatusCode.UNAVAILABLE)
    await pods.serve(A)
    await pods.speak(B, lost)
    pods.named(A, B)
    async with backend(pods) as service:
        await answering(service, pods, A)

        # So many more than the budget for retries allows.
        assert await load(service, 396) == {pb.STATE_OK: 396}

    assert 1 <= lost.asked <= 100


@pytest.mark.parametrize(
    "code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED], ids=str
)
async def test_what_another_replica_would_not_mend_is_asked_once(
    pods: Pods, code: grpc.StatusCode
) -> None:
    broken = Refuses(code)
    await pods.speak(A, broken)
    pods.named(A)
    async with backend(pods) as service:
        assert isinstance(await ask(service), Failure)

    assert broken.asked == 1


async def test_a_replica_that_is_the_only_one_is_asked_three_times_at_most(pods: Pods) -> None:
    away = Refuses(grpc.StatusCode.UNAVAILABLE)
    await pods.speak(A, away)
    pods.named(A)
    async with backend(pods) as service:
        end = await ask(service)

    assert isinstance(end, Failure)
    assert end.state == pb.STATE_FAILED
    assert away.asked == 3


async def test_an_outage_is_not_multiplied(pods: Pods) -> None:
    away = [Refuses(grpc.StatusCode.UNAVAILABLE) for _ in range(2)]
    for address, servicer in zip((A, B), away, strict=True):
        await pods.speak(address, servicer)
    pods.named(A, B)
    async with backend(pods) as service:
        await load(service, 200)

    assert 200 <= sum(one.asked for one in away) <= 250 + 3 * 6


async def test_a_call_that_its_caller_gives_up_is_asked_of_nobody_else(pods: Pods) -> None:
    gates = [threading.Event(), threading.Event()]
    for address, gate in zip((A, B), gates, strict=True):
        await pods.serve(address, FakeModel(gate=gate))
    pods.named(A, B)
    async with backend(pods) as service:
        held = asyncio.create_task(ask(service))
        await until(lambda: pods.seen().total() == 1)
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held
        for gate in gates:
            gate.set()

    assert pods.seen().total() == 1


async def test_a_replica_that_leaves_while_it_describes_its_model_finishes(pods: Pods) -> None:
    slow = SlowToTell()
    await pods.speak(A, slow)
    pods.named(A)
    async with backend(pods) as asked:
        await until(lambda: asked.model() is not None)
        before, slow.seconds = slow.asked, 0.5
        describing = asyncio.create_task(asked.describe(a_call(PATIENCE_SECONDS)))
        await until(lambda: slow.asked > before)

        await pods.serve(B)
        pods.named(B)

        model = await describing
    assert model is not None
    assert model.summary == "slow"


async def test_a_service_that_tells_no_size_of_photos_gets_no_speck(
    pods: Pods,
) -> None:
    silent = SlowToTell()
    await pods.speak(A, silent)
    pods.named(A)
    app = gateway_app({"detection": pods.target})
    async with running(app) as channel:
        front = analysis_pb2_grpc.ImageAnalysisServiceStub(channel)
        await front.GetCapabilities(pb.GetCapabilitiesRequest(), timeout=PATIENCE_SECONDS)
        photo = pb.AnalyzeImageRequest(image=a_photo("cat.jpg"))
        await front.AnalyzeImage(photo, timeout=PATIENCE_SECONDS)

    assert silent.seen == [(451, 300)]  # all of it


async def test_a_replica_that_leaves_undescribed_leaves_no_error_behind(
    pods: Pods, caplog: pytest.LogCaptureFixture
) -> None:
    leaving = Holds()
    await pods.speak(A, leaving)
    pods.named(A)
    async with backend(pods) as asked:
        last = asyncio.create_task(ask(asked))
        await until(lambda: leaving.asked > 0)
        await pods.serve(B)
        pods.named(B)
        await until(lambda: asked.model() is not None)

        leaving.gate.set()

        assert isinstance(await last, Answered)
    gc.collect()  # of tasks that ended in an error which nobody took
    assert not [one for one in caplog.records if one.name == "asyncio"]


async def test_a_replica_that_is_not_ready_is_not_asked(pods: Pods) -> None:
    gate = threading.Event()
    hung = FakeModel(gate=gate)
    await pods.serve(A)
    await pods.serve(B, hung, hang_after=0.05, threads=1)
    pods.named(B)
    try:
        async with backend(pods) as service:
            stuck = [asyncio.create_task(ask(service)) for _ in range(2)]
            await until(lambda: bool(hung.seen))
            await until(lambda: not service.usable("1.2.3"))
            pods.named(A, B)
            await answering(service, pods, A)
            await load(service, 30)
            gate.set()
            await asyncio.gather(*stuck)
    finally:
        gate.set()

    assert pods.seen()[A] >= 30


async def test_an_address_that_now_belongs_to_another_service_is_not_asked(pods: Pods) -> None:
    await pods.serve(A)
    await pods.serve(B, FakeModel("caption"))
    pods.named(A, B)
    async with backend(pods) as service:
        await answering(service, pods, A)

        assert await load(service, 30) == {pb.STATE_OK: 30}

    assert pods.seen()[A] == 30


def of_version(version: str) -> FakeModel:
    model = FakeModel()
    model.package = fake_package("detection", version=version)
    return model


async def test_a_version_is_usable_once_a_ready_replica_describes_itself_so(pods: Pods) -> None:
    await pods.serve(A, of_version("1.0.0"))
    new = await pods.serve(B, of_version("1.1.0"))
    pods.named(A)
    async with backend(pods) as service:
        await until(lambda: service.usable("1.0.0"))
        assert not service.usable("1.1.0")
        pods.named(A, B)
        await until(lambda: service.usable("1.1.0"))
        assert service.usable("1.0.0")
        await new.aclose()
        await until(lambda: not service.usable("1.1.0"))


async def test_metrics_may_ask_whether_a_version_is_usable_while_replicas_come_and_go(
    pods: Pods, names: Names
) -> None:
    addresses = [f"127.0.1.{number}" for number in range(1, 30)]
    stopping = threading.Event()

    def ask_on_and_on() -> bool:
        while not stopping.is_set():
            service.usable("1.2.3")
        return True

    async with backend(pods) as service:
        asking = asyncio.create_task(asyncio.to_thread(ask_on_and_on))
        try:
            for number in range(10):
                before = names.asked
                pods.named(*addresses[: 10 + number % 2 * 19])
                await until(lambda before=before: names.asked > before + 1)
        finally:
            stopping.set()
        assert await asking


async def test_a_version_stays_usable_while_connections_are_renewed(pods: Pods) -> None:
    await pods.serve(A, of_version("1.1.0"), max_connection_age=0.1)
    pods.named(A)
    async with backend(pods, "1.1.0") as service:
        await until(lambda: service.usable("1.1.0"))
        met: set[int] = set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(met) < 5:
                met |= own_ports(pods.port)
                assert service.usable("1.1.0")
                assert isinstance(await ask(service), Answered)


async def test_with_a_version_only_replicas_that_serve_it_are_asked(pods: Pods) -> None:
    await pods.serve(A, of_version("1.0.0"))
    await pods.serve(B, of_version("1.1.0"))
    pods.named(A, B)
    async with backend(pods, "1.1.0") as service:
        await until(lambda: service.usable("1.1.0"))
        assert await load(service, 30) == {pb.STATE_OK: 30}
        model = service.model()

    assert pods.seen() == {A: 0, B: 30}
    assert isinstance(model, model_pb2.Model)
    assert model.ref.version == "1.1.0"


async def test_a_replica_that_leaves_in_order_loses_no_call(pods: Pods) -> None:
    leaving = await pods.serve(A)
    await pods.serve(B)
    pods.named(A, B)
    async with backend(pods) as service:
        await answering(service, pods, A, B)
        under_load = asyncio.create_task(load(service, 600))
        await until(lambda: pods.seen()[A] > 20)
        await leaving.aclose()

        assert await under_load == {pb.STATE_OK: 600}
