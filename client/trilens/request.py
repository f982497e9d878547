"""From what a caller has at hand, a photo and names of features, to a request message."""

import errno
import uuid
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

import grpc

from trilens.channel import MAX_MESSAGE_BYTES
from trilens.v1 import analysis_pb2 as pb

# An encoded photo as bytes, or the path of a file that holds one.
Photo: TypeAlias = bytes | Path | str
# A feature's name, or a FeatureRequest that carries options too.
Feature: TypeAlias = str | pb.FeatureRequest


def read(photo: Photo) -> bytes:
    """The encoded bytes of a photo.

    Raises OSError if a file cannot be read, or is too large to be sent: such a file is not read.
    """
    if isinstance(photo, bytes):
        return photo
    path = Path(photo)
    if path.stat().st_size > MAX_MESSAGE_BYTES:
        limit = MAX_MESSAGE_BYTES // 2**20
        raise OSError(errno.EFBIG, f"larger than {limit} MiB, the most that is sent", str(path))
    return path.read_bytes()


def choose(features: Iterable[Feature], required: Collection[str]) -> tuple[pb.FeatureRequest, ...]:
    """The features to ask for; those that `required` names are marked so, and added if absent.

    Raises TypeError for a name where names are expected: it would be taken for its letters.
    """
    for names in (features, required):
        if isinstance(names, str):
            raise TypeError(f"features are named in a list: [{names!r}], not {names!r}")
    chosen = {}
    for feature in features:
        asked = pb.FeatureRequest()
        if isinstance(feature, str):
            asked.feature = feature
        else:
            asked.CopyFrom(feature)
        chosen[asked.feature] = asked
    for name in required:
        chosen.setdefault(name, pb.FeatureRequest(feature=name)).required = True
    return tuple(chosen.values())


def defaults(capabilities: pb.GetCapabilitiesResponse) -> tuple[str, ...]:
    """Names of the features that a request without names gets."""
    return tuple(one.feature for one in capabilities.features if one.on_by_default)


class Defaults:
    """A server's default features as last heard of; kept until it refuses a request."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] | None = None

    def learn(self, capabilities: pb.GetCapabilitiesResponse) -> tuple[str, ...]:
        """Keeps them, and returns them."""
        self.names = defaults(capabilities)
        return self.names

    def doubt(self, error: BaseException) -> None:
        """Forgets them if a call's error may mean that one of them is no longer there."""
        code = error.code() if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else None
        if code is grpc.StatusCode.INVALID_ARGUMENT:
            self.names = None


def build(
    content: bytes,
    features: Sequence[pb.FeatureRequest],
    request_id: str = "",
    affinity_key: str = "",
) -> pb.AnalyzeImageRequest:
    """One photo's request.

    It always has an id, the same when gRPC sends it again: by it a server with a canary picks the
    model versions that the call meets.
    """
    return pb.AnalyzeImageRequest(
        # No message: to become part of this one it would be packed and unpacked, all its bytes.
        image={"content": content},
        features=features,
        request_id=request_id or uuid.uuid4().hex,
        affinity_key=affinity_key,
    )
