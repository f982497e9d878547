"""Asking: sends each probe through both tracks of a deployment, beside whatever else is done."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Self, cast
from uuid import uuid4

import grpc

from chassis.call import LANE_KEY
from gateway.tasks import Result
from rollout.judge.observation import Pairs
from rollout.probes import LabelledPhoto, ProbeSet, added, settled
from trilens.channel import open_channel
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc
from trilens.v1 import image_pb2

_LANES: Final = ("stable", "canary")
_PATIENCE: Final = 10.0  # seconds for one answer
_PAUSE: Final = 1.0  # seconds before a probe that was not answered is asked again
# What a model makes of a photo; all other errors speak of load, and the probe is asked again.
_BROKEN: Final = frozenset(
    code.value[0]
    for code in (
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNIMPLEMENTED,
    )
)

Answers = Mapping[str, Result | None]  # by feature; None: the model failed


class Asking(AbstractContextManager["Asking"]):
    """Asks one probe after the other, each once, from a thread of its own.

    A probe counts once both lanes have answered it, each as the lane that was named: while the
    canary cannot be used the gateway answers with the stable models, and the probe waits.
    `already` is how many of each feature's probes were asked before, in an earlier process.
    """

    def __init__(
        self,
        gateway: str,
        probes: ProbeSet,
        features: Collection[str],
        already: Mapping[str, int] | None = None,
    ) -> None:
        self._channel = open_channel(gateway)
        self._stub = rpc.ImageAnalysisServiceStub(self._channel)
        self._probes = probes
        self._features = features
        self._already = dict(already or {})
        self._lock = threading.Lock()
        self._new: dict[str, Pairs] = {}
        self._trouble = ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._ask_all, name="probes", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._channel.close()
        self._thread.join()

    def new(self) -> Mapping[str, Pairs]:
        """What was settled since this was last called."""
        with self._lock:
            new, self._new = self._new, {}
        return new

    @property
    def trouble(self) -> str:
        """Why the probe that is being asked is not answered; empty while all is well."""
        with self._lock:
            return self._trouble

    def _ask_all(self) -> None:
        for photo, features in self._left():
            while (found := self._asked(photo, features)) is None:
                if self._closing.wait(_PAUSE):
                    return
            with self._lock:
                self._new = added(self._new, found)
                self._trouble = ""

    def _left(self) -> Iterator[tuple[LabelledPhoto, tuple[str, ...]]]:
        for photo in self._probes.photos:
            features = []
            for feature in photo.features(self._features):
                if self._already.get(feature, 0) > 0:
                    self._already[feature] -= 1
                else:
                    features.append(feature)
            if features:
                yield photo, tuple(features)

    def _asked(self, photo: LabelledPhoto, features: tuple[str, ...]) -> Mapping[str, Pairs] | None:
        try:
            stable, canary = (self._answers(photo, features, lane) for lane in _LANES)
        except (grpc.RpcError, _Unsettled, ValueError) as problem:
            # ValueError: the channel was closed.
            with self._lock:
                self._trouble = _words(problem)
            return None
        return {
            feature: _pairs(stable[feature], canary[feature], photo, feature)
            for feature in features
        }

    def _answers(self, photo: LabelledPhoto, features: tuple[str, ...], lane: str) -> Answers:
        request = pb.AnalyzeImageRequest(
            image=image_pb2.Image(content=photo.content),
            features=[pb.FeatureRequest(feature=feature) for feature in features],
            request_id=f"probe-{uuid4().hex}",
        )
        try:
            response: pb.AnalyzeImageResponse = self._stub.AnalyzeImage(
                request, timeout=_PATIENCE, metadata=((LANE_KEY, lane),)
            )
        except grpc.RpcError as error:
            # With one feature asked, its failure is the call's.
            if _code(error).value[0] in _BROKEN:
                return dict.fromkeys(features)
            raise
        if response.lane != lane:
            raise _Unsettled(f"probes for the {lane} lane are answered by the {response.lane} one")
        return {feature: _result(feature, response.outcomes[feature]) for feature in features}


class _Unsettled(Exception):
    """The probe has to be asked again; the text says why."""


def _result(feature: str, outcome: pb.FeatureOutcome) -> Result | None:
    if outcome.state == pb.STATE_OK:
        result: Result = getattr(outcome, str(outcome.WhichOneof("result")))
        return result
    if outcome.state == pb.STATE_FAILED and outcome.status.code in _BROKEN:
        return None
    raise _Unsettled(f"a probe of {feature} is not answered: {outcome.status.message}")


def _pairs(
    stable: Result | None, canary: Result | None, photo: LabelledPhoto, feature: str
) -> Pairs:
    # Who fails is wrong, whatever the answer would have been.
    if stable is None:
        return Pairs(1, 0, int(canary is not None))
    if canary is None:
        return Pairs(1, 1, 0)
    return settled(stable, canary, [one for one in photo.labels if one.feature == feature])


def _words(problem: Exception) -> str:
    if isinstance(problem, grpc.RpcError):
        return f"probes are not answered: {_code(problem).name}"
    return str(problem)


def _code(error: grpc.RpcError) -> grpc.StatusCode:
    return cast("grpc.Call", error).code()  # gRPC's errors of calls are the calls, too
