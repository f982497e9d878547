"""What became of one photo among many."""

from dataclasses import dataclass
from typing import cast

from trilens.request import Photo
from trilens.v1 import analysis_pb2 as pb


@dataclass(frozen=True)
class Analyzed:
    """One photo's answer, or why there is none: exactly one of `response` and `error` is set."""

    index: int  # position among the photos given, from 0
    source: Photo  # the photo as it was given
    seconds: float  # from sending it until the answer was there; at least 0
    response: pb.AnalyzeImageResponse | None = None
    error: Exception | None = None  # a grpc.RpcError, or an OSError for a file that was not sent

    def unwrap(self) -> pb.AnalyzeImageResponse:
        """The answer; raises the error if there is none."""
        if self.error is not None:
            raise self.error
        return cast("pb.AnalyzeImageResponse", self.response)
