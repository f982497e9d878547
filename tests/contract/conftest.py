"""A gateway with three features that answer, hosted by it or beside it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest

from chassis.server import serving
from tests.fakes import FEATURES, FakeModel
from tests.harness import LOOPBACK, gateway_app, model_app, running, server_settings
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc


@asynccontextmanager
async def deployment(place: str, **settings: Any) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to the gateway, which knows its models."""
    backends: dict[str, FakeModel | str] = {task: FakeModel(task) for task in FEATURES}
    async with AsyncExitStack() as stack:
        if place == "remote":
            for task, model in list(backends.items()):
                served = serving(server_settings(), model_app(model))
                backends[task] = f"{LOOPBACK}:{(await stack.enter_async_context(served)).grpc}"
        channel = await stack.enter_async_context(running(gateway_app(backends, **settings)))
        await rpc.ImageAnalysisServiceStub(channel).GetCapabilities(pb.GetCapabilitiesRequest())
        yield channel


@pytest.fixture(params=["hosted", "remote"])
async def front(request: pytest.FixtureRequest) -> AsyncIterator[rpc.ImageAnalysisServiceStub]:
    async with deployment(request.param) as channel:
        yield rpc.ImageAnalysisServiceStub(channel)
