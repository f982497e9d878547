"""An operator's own threshold set, for a model hosted by the gateway or beside it."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest

from chassis.compute import ComputePool
from chassis.server import serving
from gateway.__main__ import hosting
from gateway.app import GatewayApp
from gateway.settings import DEFAULT_FEATURES, FeatureSettings, GatewaySettings
from services.detector.__main__ import detector
from services.hosting import ModelSettings
from services.packages import open_package
from tests.harness import LOOPBACK, a_photo, ready, running, server_settings
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc
from trilens.v1 import decision_pb2

OBJECTS = str(DEFAULT_FEATURES["objects"].model)
OWN = open_package(OBJECTS).manifest.default_threshold_set


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A set by which no cat is ever sure, and nothing else is worth a word."""
    bands = {"cat": {"present": None, "absent": 0.25}, "*": {"present": 1, "absent": 1}}
    path = tmp_path / "no-cats.json"
    path.write_text(json.dumps({"id": "no-cats-v1", "model": "objects", "labels": bands}))
    return path


@pytest.fixture(params=["hosted", "remote"])
async def front(
    request: pytest.FixtureRequest, file: Path
) -> AsyncIterator[rpc.ImageAnalysisServiceStub]:
    chosen = {"model": OBJECTS, "threshold_files": (file,), "threshold_set": "no-cats-v1"}
    async with AsyncExitStack() as stack:
        if request.param == "remote":
            service = detector(ModelSettings(**chosen), ComputePool(1, lend_after=1))
            ports = await stack.enter_async_context(serving(server_settings(), service))
            target = f"{LOOPBACK}:{ports.grpc}"
            await ready(await stack.enter_async_context(grpc.aio.insecure_channel(target)))
            chosen = {"target": target}
        features = {"objects": FeatureSettings(task="detection", **chosen)}
        settings = GatewaySettings(features=features)
        app = GatewayApp(settings, server_settings(), hosting(settings))
        channel = await stack.enter_async_context(running(app))
        yield rpc.ImageAnalysisServiceStub(channel)


def cited(file: Path) -> str:
    return f"no-cats-v1+{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"


async def test_it_decides_and_is_cited_with_the_digest_of_its_file(
    front: rpc.ImageAnalysisServiceStub, file: Path
) -> None:
    answers = []
    for options in (
        {},
        {"include_uncertain": True},
        {"score_threshold": 0.5},
        {"threshold_set": cited(file), "include_uncertain": True},
        {"threshold_set": OWN},
    ):
        feature = {"feature": "objects", "detection": options}
        request = pb.AnalyzeImageRequest(image=a_photo("cat.jpg"), features=[feature])
        answers.append((await front.AnalyzeImage(request, timeout=20)).outcomes["objects"])
    told = await front.GetCapabilities(pb.GetCapabilitiesRequest(), timeout=5)

    assert [
        [(one.label, one.decision) for one in answer.detection.objects if one.label == "cat"]
        for answer in answers
    ] == [
        [],
        [("cat", decision_pb2.DECISION_UNCERTAIN)],
        [("cat", decision_pb2.DECISION_PRESENT)],
        [("cat", decision_pb2.DECISION_UNCERTAIN)],
        [("cat", decision_pb2.DECISION_PRESENT)],
    ]
    assert [one.model.threshold_set for one in answers] == [cited(file)] * 4 + [OWN]
    model = told.features[0].model
    assert model.ref.threshold_set == cited(file)
    assert {OWN, cited(file)} <= {one.id for one in model.threshold_sets}
    assert [one.id for one in model.labels if not one.HasField("present_from")] == ["cat"]
