"""The client: photos in, answers out, with the published settings."""

import time
from collections.abc import Collection, Generator, Iterable
from pathlib import Path
from types import TracebackType

import grpc

from trilens import channel, request, tracing
from trilens.request import Feature, Photo
from trilens.results import Analyzed
from trilens.run import Run
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc, model_pb2, model_pb2_grpc


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
        self._defaults = request.Defaults()

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
        `required` does not answer within `timeout` seconds, else only if none does. Asking the
        server for its default set, where that is needed, counts too. Raises grpc.RpcError (see
        `trilens.explain`), or OSError if the file cannot be read.
        """
        content = request.read(photo)
        ends = time.monotonic() + timeout
        chosen = self._choose(features, required, timeout)
        message = request.build(content, chosen, request_id, affinity_key)
        try:
            response: pb.AnalyzeImageResponse = self._analysis.AnalyzeImage(
                message, timeout=ends - time.monotonic(), metadata=tracing.metadata()
            )
        except grpc.RpcError as error:
            self._defaults.doubt(error)
            raise
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
        run = Run(self._analysis, photos, chosen, timeout, concurrency, self._defaults)
        return run.results(in_order=in_order)

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
            features = self._defaults.names
            if features is None:
                features = self._defaults.learn(self.capabilities(timeout=timeout))
        return request.choose(features or (), required)
