"""Replacing, killing and freezing servers under load: what callers see of it."""

import asyncio
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from chassis.images import Pixels
from gateway.outcomes import Answered
from gateway.remote import RemoteBackend
from gateway.tasks import TASKS
from tests.dns import name_server
from tests.harness import a_call
from tests.names import Names, free_port
from tests.stack.servers import PATIENCE_SECONDS, Child, child
from trilens import channel
from trilens.v1 import detector_pb2, detector_pb2_grpc

pytestmark = pytest.mark.stack

A, B, C, D = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"
NAME = "detector.test"
SERVER = """
from chassis.server import run
from chassis.settings import ServerSettings
from tests.fakes import FakeModel
from tests.harness import model_app
run(ServerSettings(), model_app(FakeModel()))
"""
AGE_SECONDS = 1.0
# What the chart demands of preStop: longer than any connection that was made before it began.
PRE_STOP_SECONDS = 1.1 * AGE_SECONDS + 2
CALLS_A_SECOND = 40
REQUEST = detector_pb2.DetectObjectsRequest(
    image={"pixels": {"width": 8, "height": 8, "rgb": bytes(192)}}
)
DETECTION = TASKS["detection"]
PHOTO = Pixels(np.zeros((8, 8, 3), np.uint8))

Ask = Callable[[], Awaitable[str]]


class Load:
    """Calls at a steady pace, whatever becomes of them; how they end."""

    def __init__(self, ask: Ask) -> None:
        self.ends: Counter[str] = Counter()
        self._ask = ask
        self._calls: set[asyncio.Task[None]] = set()
        self._pacing = asyncio.create_task(self._pace())

    async def further(self, calls: int) -> Counter[str]:
        """How the next so many calls end."""
        before = self.ends.copy()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.ends.total() < before.total() + calls:  # noqa: ASYNC110 - calls go on
                await asyncio.sleep(0.02)
        return self.ends - before

    async def stop(self) -> Counter[str]:
        """How all calls ended."""
        self._pacing.cancel()
        await asyncio.gather(*self._calls)
        return self.ends

    async def _pace(self) -> None:
        while True:
            call = asyncio.create_task(self._one())
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            await asyncio.sleep(1 / CALLS_A_SECOND)

    async def _one(self) -> None:
        self.ends[await self._ask()] += 1


class Fleet:
    """Servers at addresses of the loopback, all on one port."""

    def __init__(self, stack: AsyncExitStack, folder: Path) -> None:
        self.port = free_port()
        self._stack = stack
        self._folder = folder

    async def start(self, *addresses: str) -> list[Child]:
        """Servers there, ready."""
        servers = [
            await self._stack.enter_async_context(
                child(
                    *(self._folder, "-c", SERVER),
                    HOST=address,
                    PORT=self.port,
                    MAX_CONNECTION_AGE=AGE_SECONDS,
                    THREADS=1,
                )
            )
            for address in addresses
        ]
        for server in servers:
            await server.ready()
        return servers


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        yield Fleet(stack, tmp_path)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


@asynccontextmanager
async def gateways_load(fleet: Fleet, seconds: float = PATIENCE_SECONDS) -> AsyncIterator[Load]:
    """Calls as the gateway makes them for its callers."""
    backend = RemoteBackend("objects", DETECTION, f"dns:///{NAME}:{fleet.port}")
    await backend.start()

    async def ask() -> str:
        end = await backend.answer(PHOTO, DETECTION.no_options, a_call(seconds))
        return "OK" if isinstance(end, Answered) else end.status.message

    load = Load(ask)
    try:
        yield load
    finally:
        await load.stop()
        await backend.stop()


@asynccontextmanager
async def clients_load(fleet: Fleet, dns: str, *, retries: bool) -> AsyncIterator[Load]:
    """Calls over a channel with the published settings, perhaps without its retries."""
    target = f"dns://{dns}/{NAME}:{fleet.port}"
    options = dict(channel.options()) | {"grpc.enable_retries": int(retries)}
    async with grpc.aio.insecure_channel(target, options=tuple(options.items())) as opened:
        stub = detector_pb2_grpc.DetectorServiceStub(opened)

        async def ask() -> str:
            try:
                await stub.DetectObjects(REQUEST, timeout=PATIENCE_SECONDS)
            except grpc.aio.AioRpcError as error:
                return f"{error.code().name}: {error.details()}"
            return "OK"

        load = Load(ask)
        try:
            yield load
        finally:
            await load.stop()


async def rolling_update(
    fleet: Fleet, servers: list[Child], say: Callable[[list[str]], None], load: Load
) -> None:
    """Replaces A and B one by one, as Kubernetes does."""
    await load.further(40)
    for leaving, comes, named in zip(servers, (C, D), ([B, C], [C, D]), strict=True):
        await fleet.start(comes)
        say(named)  # no longer who leaves: that one serves on, while its preStop sleeps
        until = time.monotonic() + PRE_STOP_SECONDS
        while time.monotonic() < until:
            await load.further(5)
        leaving.told()
        await load.further(40)
        assert await leaving.ended() == 0


async def predictions(server: Child) -> float:
    """Photos that a server has answered."""
    url = f"http://{await server.address('metrics')}/metrics"
    page = await asyncio.to_thread(urllib.request.urlopen, url, timeout=30)
    return sum(
        sample.value
        for family in text_string_to_metric_families(page.read().decode())
        for sample in family.samples
        if sample.name == "trilens_predictions_total"
    )


async def test_a_rolling_update_of_a_model_costs_callers_of_the_gateway_nothing(
    fleet: Fleet, names: Names
) -> None:
    servers = await fleet.start(A, B)
    names.say(NAME, [A, B])
    async with gateways_load(fleet) as load:
        await rolling_update(fleet, servers, lambda named: names.say(NAME, named), load)

    assert set(load.ends) == {"OK"}, load.ends


async def test_a_rolling_update_costs_clients_nothing_though_they_retry_nothing(
    fleet: Fleet,
) -> None:
    servers = await fleet.start(A, B)
    async with name_server() as (dns, address):
        dns.say([A, B])
        async with clients_load(fleet, address, retries=False) as load:
            await rolling_update(fleet, servers, dns.say, load)

    assert set(load.ends) == {"OK"}, load.ends


async def test_a_killed_model_server_costs_callers_of_the_gateway_nothing(
    fleet: Fleet, names: Names
) -> None:
    victim, _ = await fleet.start(A, B)
    names.say(NAME, [A, B])
    async with gateways_load(fleet) as load:
        await load.further(40)
        victim.told(signal.SIGKILL)
        await load.further(80)

    assert set(load.ends) == {"OK"}, load.ends


async def test_a_killed_server_costs_clients_nothing_that_retry_as_published(
    fleet: Fleet,
) -> None:
    victim, _ = await fleet.start(A, B)
    async with name_server() as (dns, address):
        dns.say([A, B])
        async with clients_load(fleet, address, retries=True) as load:
            await load.further(40)
            victim.told(signal.SIGKILL)
            await load.further(80)

    assert set(load.ends) == {"OK"}, load.ends


async def test_a_frozen_model_server_soon_gets_no_calls_until_it_moves_again(
    fleet: Fleet, names: Names
) -> None:
    victim, _ = await fleet.start(A, B)
    names.say(NAME, [A, B])
    async with gateways_load(fleet, seconds=2.0) as load:
        await load.further(40)
        victim.told(signal.SIGSTOP)
        first = await load.further(CALLS_A_SECOND * 4)
        later = await load.further(CALLS_A_SECOND * 3)
        victim.told(signal.SIGCONT)
        before = await predictions(victim)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await predictions(victim) < before + 10:
                await load.further(10)

    assert first["OK"] > 0.9 * first.total(), first
    assert later["OK"] > 0.98 * later.total(), later


async def share_of_a_third(
    fleet: Fleet, old: list[Child], say: Callable[[list[str]], None], load: Load
) -> float:
    """What a server that comes gets of the calls from 10 s on, in fair shares."""
    await load.further(40)
    (new,) = await fleet.start(C)
    say([A, B, C])
    await asyncio.sleep(10)
    before = [await predictions(one) for one in (*old, new)]
    await load.further(5 * CALLS_A_SECOND)
    after = [await predictions(one) for one in (*old, new)]
    shares = [end - begin for begin, end in zip(before, after, strict=True)]
    return shares[-1] / (sum(shares) / 3)


async def test_a_server_that_comes_gets_its_share_from_the_gateway_within_15_s(
    fleet: Fleet, names: Names
) -> None:
    old = await fleet.start(A, B)
    names.say(NAME, [A, B])
    async with gateways_load(fleet) as load:
        share = await share_of_a_third(fleet, old, lambda named: names.say(NAME, named), load)

    assert share >= 0.8
    assert set(load.ends) == {"OK"}, load.ends


async def test_a_server_that_comes_gets_its_share_from_clients_within_15_s(fleet: Fleet) -> None:
    old = await fleet.start(A, B)
    async with name_server() as (dns, address):
        dns.say([A, B])
        async with clients_load(fleet, address, retries=False) as load:
            share = await share_of_a_third(fleet, old, dns.say, load)

    assert share >= 0.8
    assert set(load.ends) == {"OK"}, load.ends
