"""A gateway with three features that answer, hosted by it or beside it."""

from collections.abc import AsyncIterator

import pytest

from tests.harness import deployment
from trilens.v1 import analysis_pb2_grpc as rpc


@pytest.fixture(params=["hosted", "remote"])
async def front(request: pytest.FixtureRequest) -> AsyncIterator[rpc.ImageAnalysisServiceStub]:
    async with deployment(request.param) as channel:
        yield rpc.ImageAnalysisServiceStub(channel)
