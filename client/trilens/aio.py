"""The same client for asyncio."""

import asyncio
import time
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from pathlib import Path
from types import TracebackType

import grpc

from trilens import channel, request, tracing
from trilens.request import Feature, Photo
from trilens.results import Analyzed
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc, model_pb2, model_pb2_grpc


class AsyncClient:
    """Calls a Trilens server from asyncio; closed by `close` or `async with`.

    Its arguments are those of `trilens.Client`. Make it where its event loop runs.
    """

    def __init__(
        self,
        server: str = channel.DEFAULT_SERVER,
        *,
        tls: bool = False,
        root_certificates: Path | str | None = None,
        options: channel.Options = (),
    ) -> None:
        self.channel = channel.open_aio_channel(
            server, tls=tls, root_certificates=root_certificates, further=options
        )
        self._analysis = analysis_pb2_grpc.ImageAnalysisServiceStub(self.channel)
        self._model = model_pb2_grpc.ModelServiceStub(self.channel)
        self._defaults = request.Defaults()

    async def analyze(
        self,
        photo: Photo,
        *,
        features: Iterable[Feature] | None = None,
        required: Collection[str] = (),
        timeout: float = 5.0,
        request_id: str = "",
        affinity_key: str = "",
    ) -> pb.AnalyzeImageResponse:
        """Analyses one photo; see `trilens.Client.analyze`. Files are read off the event loop."""
        content = await asyncio.to_thread(request.read, photo)
        ends = time.monotonic() + timeout
        chosen = await self._choose(features, required, timeout)
        message = request.build(content, chosen, request_id, affinity_key)
        return await self._call(message, ends - time.monotonic())

    async def analyze_many(
        self,
        photos: Iterable[Photo],
        *,
        features: Iterable[Feature] | None = None,
        required: Collection[str] = (),
        timeout: float = 5.0,
        concurrency: int = 4,
        in_order: bool = True,
    ) -> AsyncGenerator[Analyzed, None]:
        """Analyses photos, `concurrency` at a time; see `trilens.Client.analyze_many`."""
        if concurrency < 1:
            raise ValueError("concurrency must be at least 1")
        chosen = await self._choose(features, required, timeout)
        remaining = iter(enumerate(photos))
        window: dict[asyncio.Task[Analyzed], None] = {}  # in the order of the photos
        try:
            while True:
                while len(window) < concurrency and (following := next(remaining, None)):
                    window[asyncio.create_task(self._one(*following, chosen, timeout))] = None
                if not window:
                    return
                if in_order:
                    ended = next(iter(window))
                    await asyncio.wait((ended,))
                else:
                    done, _ = await asyncio.wait(window, return_when=asyncio.FIRST_COMPLETED)
                    ended = done.pop()
                del window[ended]
                yield ended.result()
        finally:
            for task in window:
                task.cancel()
            await asyncio.gather(*window, return_exceptions=True)

    async def capabilities(self, *, timeout: float = 5.0) -> pb.GetCapabilitiesResponse:
        """What the deployment can do: features, models, licences, limits."""
        response: pb.GetCapabilitiesResponse = await self._analysis.GetCapabilities(
            pb.GetCapabilitiesRequest(), timeout=timeout, metadata=tracing.metadata()
        )
        return response

    async def model(self, *, timeout: float = 5.0) -> model_pb2.Model:
        """The model behind a single service: for a client whose server is no gateway."""
        response: model_pb2.GetModelResponse = await self._model.GetModel(
            model_pb2.GetModelRequest(), timeout=timeout, metadata=tracing.metadata()
        )
        return response.model

    async def close(self) -> None:
        """Ends the connection; calls under way are cancelled."""
        await self.channel.close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _call(
        self, message: pb.AnalyzeImageRequest, timeout: float
    ) -> pb.AnalyzeImageResponse:
        try:
            response: pb.AnalyzeImageResponse = await self._analysis.AnalyzeImage(
                message, timeout=timeout, metadata=tracing.metadata()
            )
        except grpc.RpcError as error:
            self._defaults.doubt(error)
            raise
        return response

    async def _one(
        self, index: int, photo: Photo, features: Sequence[pb.FeatureRequest], timeout: float
    ) -> Analyzed:
        begun = time.monotonic()
        try:
            content = await asyncio.to_thread(request.read, photo)
            begun = time.monotonic()
            response = await self._call(request.build(content, features), timeout)
        except (grpc.RpcError, OSError) as error:
            return Analyzed(index, photo, time.monotonic() - begun, error=error)
        return Analyzed(index, photo, time.monotonic() - begun, response=response)

    async def _choose(
        self, features: Iterable[Feature] | None, required: Collection[str], timeout: float
    ) -> tuple[pb.FeatureRequest, ...]:
        if features is None and required:
            # Only the server knows its default set, and naming one feature would drop the others.
            features = self._defaults.names
            if features is None:
                features = self._defaults.learn(await self.capabilities(timeout=timeout))
        return request.choose(features or (), required)
