"""The client: photos in, answers out, with the published settings."""

import time
from collections.abc import Collection, Generator, Iterable, Sequence
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

import grpc

from trilens import channel, request, tracing
from trilens.request import Feature, Photo
from trilens.results import Analyzed
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc, model_pb2, model_pb2_grpc

if TYPE_CHECKING:
    Answering: TypeAlias = "grpc.Future[pb.AnalyzeImageResponse]"


class Client:
    """Calls a Trilens server; safe to share between threads, closed by `close` or `with`.

    `server` is HOST:PORT or any gRPC target. `root_certificates` is a PEM file and implies TLS;
    `tls` alone trusts gRPC's own roots. `options` are further channel arguments, which go before
    the published ones.
    """

    def __init__(
        self,
        server: str = channel.DEFAULT_SERVER,
        *,
        tls: bool = False,
        root_certificates: Path | str | None = None,
        options: channel.Options = (),
    ) -> None:
        self.channel = channel.open_channel(
            server, tls=tls, root_certificates=root_certificates, further=options
        )
        self._analysis = analysis_pb2_grpc.ImageAnalysisServiceStub(self.channel)
        self._model = model_pb2_grpc.ModelServiceStub(self.channel)
        self._defaults: tuple[str, ...] | None = None

    def analyze(
        self,
        photo: Photo,
        *,
        features: Iterable[Feature] | None = None,
        required: Collection[str] = (),
        timeout: float = 5.0,
        request_id: str = "",
        affinity_key: str = "",
    ) -> pb.AnalyzeImageResponse:
        """Analyses one photo: encoded bytes, or a file's path.

        Without `features` the deployment's default set is answered; the call fails if one of
        `required` does not answer within `timeout` seconds, else only if none does. Raises
        grpc.RpcError (see `trilens.explain`), or OSError if the file cannot be read.
        """
        content = request.read(photo)
        chosen = self._choose(features, required, timeout)
        message = request.build(content, chosen, request_id, affinity_key)
        response: pb.AnalyzeImageResponse = self._analysis.AnalyzeImage(
            message, timeout=timeout, metadata=tracing.metadata()
        )
        return response

    def analyze_many(
        self,
        photos: Iterable[Photo],
        *,
        features: Iterable[Feature] | None = None,
        required: Collection[str] = (),
        timeout: float = 5.0,
        concurrency: int = 4,
        in_order: bool = True,
    ) -> Generator[Analyzed, None, None]:
        """Analyses photos, `concurrency` at a time, and yields what became of each.

        A photo that fails costs only itself: its `Analyzed` has the error. Photos are taken and
        read as their turn comes, so an endless iterable is fine. `in_order=False` yields each as
        soon as it is there. Leaving the iteration early cancels what is under way.
        """
        chosen = self._choose(features, required, timeout)
        return _Run(self._analysis, photos, chosen, timeout, concurrency).results(in_order=in_order)

    def capabilities(self, *, timeout: float = 5.0) -> pb.GetCapabilitiesResponse:
        """What the deployment can do: features, models, licences, limits."""
        response: pb.GetCapabilitiesResponse = self._analysis.GetCapabilities(
            pb.GetCapabilitiesRequest(), timeout=timeout, metadata=tracing.metadata()
        )
        return response

    def model(self, *, timeout: float = 5.0) -> model_pb2.Model:
        """The model behind a single service: for a client whose server is no gateway."""
        response: model_pb2.GetModelResponse = self._model.GetModel(
            model_pb2.GetModelRequest(), timeout=timeout, metadata=tracing.metadata()
        )
        return response.model

    def close(self) -> None:
        """Ends the connection; calls under way are cancelled."""
        self.channel.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _choose(
        self, features: Iterable[Feature] | None, required: Collection[str], timeout: float
    ) -> tuple[pb.FeatureRequest, ...]:
        if features is None and required:
            # Only the server knows its default set, and naming one feature would drop the others.
            if self._defaults is None:
                self._defaults = request.defaults(self.capabilities(timeout=timeout))
            features = self._defaults
        return request.choose(features or (), required)


class _Run:
    """One `analyze_many`: a window of calls over an iterable of photos."""

    def __init__(
        self,
        stub: analysis_pb2_grpc.ImageAnalysisServiceStub,
        photos: Iterable[Photo],
        features: Sequence[pb.FeatureRequest],
        timeout: float,
        concurrency: int,
    ) -> None:
        if concurrency < 1:
            raise ValueError("concurrency must be at least 1")
        self._stub = stub
        self._photos = iter(enumerate(photos))
        self._features = features
        self._timeout = timeout
        self._concurrency = concurrency
        self._under_way: dict[int, Answering] = {}
        self._ended: SimpleQueue[Analyzed] = SimpleQueue()

    def results(self, *, in_order: bool) -> Generator[Analyzed, None, None]:
        waiting: dict[int, Analyzed] = {}
        sent = yielded = 0
        try:
            while True:
                # Answers that wait for their turn count too, so that memory stays bounded.
                for index, photo in islice(self._photos, self._concurrency - (sent - yielded)):
                    self._send(index, photo)
                    sent += 1
                if sent == yielded:
                    return
                ended = self._ended.get()
                self._under_way.pop(ended.index, None)
                waiting[ended.index] = ended
                while waiting and (not in_order or yielded in waiting):
                    index = yielded if in_order else next(iter(waiting))
                    yielded += 1
                    yield waiting.pop(index)
        finally:
            for call in self._under_way.values():
                call.cancel()

    def _send(self, index: int, photo: Photo) -> None:
        begun = time.monotonic()

        def ended(call: "Answering") -> None:
            seconds = time.monotonic() - begun
            try:
                self._ended.put(Analyzed(index, photo, seconds, response=call.result()))
            except (grpc.RpcError, grpc.FutureCancelledError) as error:
                self._ended.put(Analyzed(index, photo, seconds, error=error))

        try:
            message = request.build(request.read(photo), self._features)
        except OSError as error:
            self._ended.put(Analyzed(index, photo, 0.0, error=error))
            return
        call = self._stub.AnalyzeImage.future(
            message, timeout=self._timeout, metadata=tracing.metadata()
        )
        self._under_way[index] = call
        call.add_done_callback(ended)
