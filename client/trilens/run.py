"""Many photos, a few at a time."""

import time
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

import grpc

from trilens import request, tracing
from trilens.request import Photo
from trilens.results import Analyzed
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc

if TYPE_CHECKING:
    Answering: TypeAlias = "grpc.Future[pb.AnalyzeImageResponse]"


class Run:
    """One `analyze_many`: a window of calls over an iterable of photos."""

    def __init__(
        self,
        stub: analysis_pb2_grpc.ImageAnalysisServiceStub,
        photos: Iterable[Photo],
        features: Sequence[pb.FeatureRequest],
        timeout: float,
        concurrency: int,
        defaults: request.Defaults,
    ) -> None:
        if concurrency < 1:
            raise ValueError("concurrency must be at least 1")
        self._stub = stub
        self._photos = iter(enumerate(photos))
        self._features = features
        self._timeout = timeout
        self._concurrency = concurrency
        self._defaults = defaults
        self._under_way: dict[int, Answering] = {}
        self._ended: SimpleQueue[Analyzed] = SimpleQueue()
        # Calls begin on a thread that Ctrl-C does not reach: interrupted there, gRPC loses count of
        # them, and closing its channel never ends.
        self._beginning = ThreadPoolExecutor(1, "trilens-call")

    def results(self, *, in_order: bool) -> Generator[Analyzed, None, None]:
        """Yields what became of each photo; cancels what is under way when it is closed."""
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
            self._beginning.shutdown()
            for call in self._under_way.values():
                call.cancel()

    def _send(self, index: int, photo: Photo) -> None:
        begun = time.monotonic()

        def ended(call: "Answering") -> None:
            seconds = time.monotonic() - begun
            try:
                self._ended.put(Analyzed(index, photo, seconds, response=call.result()))
            except (grpc.RpcError, grpc.FutureCancelledError) as error:
                self._defaults.doubt(error)
                self._ended.put(Analyzed(index, photo, seconds, error=error))

        def begin() -> None:
            call = self._stub.AnalyzeImage.future(message, timeout=self._timeout, metadata=trace)
            self._under_way[index] = call
            call.add_done_callback(ended)

        try:
            message = request.build(request.read(photo), self._features)
        except OSError as error:
            self._ended.put(Analyzed(index, photo, 0.0, error=error))
            return
        trace = tracing.metadata()
        self._beginning.submit(begin).result()
