"""Server reflection, for clients without proto files; its open streams do not delay a drain."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any

from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.reflection_pb2 import (
    ServerReflectionRequest,
    ServerReflectionResponse,
)
from grpc_reflection.v1alpha.reflection_pb2_grpc import add_ServerReflectionServicer_to_server

from chassis.doors import Context, Server


class Reflection(reflection.aio.ReflectionServicer):
    """Describes services. A client that keeps its stream open would hold the server's stop."""

    def __init__(self, services: Iterable[str]) -> None:
        super().__init__((*services, reflection.SERVICE_NAME))
        self._draining = asyncio.Event()

    def register(self, server: Server) -> None:
        """Adds itself to the server."""
        add_ServerReflectionServicer_to_server(self, server)

    def drain(self) -> None:
        """Ends every open stream."""
        self._draining.set()

    # The stubs for the checker take the original for a coroutine; it is an async generator, too.
    async def ServerReflectionInfo(  # type: ignore[override]  # noqa: N802 - gRPC's spelling
        self, request_iterator: AsyncIterable[ServerReflectionRequest], context: Context
    ) -> AsyncIterator[ServerReflectionResponse]:
        """An answer to each request that comes before the process drains."""
        responses: Any = super().ServerReflectionInfo(self._before_drain(request_iterator), context)
        async for response in responses:
            yield response

    async def _before_drain(
        self, requests: AsyncIterable[ServerReflectionRequest]
    ) -> AsyncIterator[ServerReflectionRequest]:
        draining = asyncio.create_task(self._draining.wait())
        coming = aiter(requests)
        request: asyncio.Future[ServerReflectionRequest] | None = None
        try:
            while not draining.done():
                request = asyncio.ensure_future(anext(coming))
                await asyncio.wait((request, draining), return_when=asyncio.FIRST_COMPLETED)
                if request.done():
                    yield request.result()
        except StopAsyncIteration:
            return
        finally:
            draining.cancel()
            if request is not None:
                request.add_done_callback(_unheard)
                request.cancel()


def _unheard(request: "asyncio.Future[ServerReflectionRequest]") -> None:
    """Takes note of how it ended, which nobody is left to hear: else asyncio logs an error."""
    if not request.cancelled():
        request.exception()
