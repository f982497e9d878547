"""What servers tell of themselves: capabilities, models, reflection, health, ids and lanes."""

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from chassis.compute import ComputePool
from chassis.server import App, serving
from chassis.version import VERSION
from gateway.app import GatewayApp
from gateway.settings import FeatureSettings, GatewaySettings
from services.detector.__main__ import detector
from services.hosting import ModelSettings
from tests.fakes import FEATURES, THRESHOLD_SETS, FakeModel, fake_package
from tests.harness import (
    LOOPBACK,
    PHOTOS,
    gateway_app,
    model_app,
    running,
    server_settings,
)
from tests.statuses import reason, status_of
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc
from trilens.v1 import model_pb2, model_pb2_grpc

IMAGE = {"content": (PHOTOS / "astronaut_small.png").read_bytes()}
TASKS = {
    "attributes": model_pb2.TASK_CLASSIFICATION,
    "captions": model_pb2.TASK_CAPTION,
    "objects": model_pb2.TASK_DETECTION,
}
FITTED = {
    "policy": {
        "name": "precision-75",
        "target_precision": 0.75,
        "target_absent": 0.5,
        "dataset": "pets",
        "split": "val",
        "count": 40,
    },
    "labels": {
        "dog": {
            "present": 0.75,
            "absent": 0.25,
            "when_present": {
                "precision": 0.75,
                "precision_low": 0.5,
                "recall": 0.5,
                "coverage": 0.25,
                "count": 10,
            },
        },
        "*": {"present": None, "absent": 0.25},
    },
}
HEALTH = "grpc.health.v1.Health"
REFLECTION = "grpc.reflection.v1alpha.ServerReflection"


async def capabilities(front: rpc.ImageAnalysisServiceStub) -> Any:
    return await front.GetCapabilities(pb.GetCapabilitiesRequest(), timeout=5)


async def test_capabilities_tell_features_models_and_limits(
    front: rpc.ImageAnalysisServiceStub,
) -> None:
    told = await capabilities(front)

    assert {one.feature: one.task for one in told.features} == TASKS
    assert all(one.on_by_default for one in told.features)
    objects = told.features[2].model
    assert (objects.ref.name, objects.ref.version) == ("objects", "1.2.3")
    assert [label.id for label in objects.labels] == ["dog", "cat"]
    assert [one.id for one in objects.threshold_sets] == sorted(THRESHOLD_SETS)
    assert objects.ref.threshold_set == "default-v1"
    assert [(one.present_from, one.absent_below) for one in objects.labels] == [(0.5, 0.5)] * 2
    assert objects.license.commercial_use
    assert told.limits.max_image_bytes == 20 << 20
    assert told.limits.max_batch_images == 16
    assert told.limits.default_deadline.ToSeconds() == 5
    assert told.limits.max_deadline.ToSeconds() == 60
    assert not told.limits.uri_allowed
    assert told.server_version == VERSION


async def test_a_service_that_cannot_be_asked_is_listed_without_its_model() -> None:
    backends: dict[str, Any] = {task: FakeModel(task) for task in FEATURES}
    served = serving(server_settings(), model_app(FakeModel("detection")))
    ports = await served.__aenter__()
    backends["detection"] = f"{LOOPBACK}:{ports.grpc}"
    async with running(gateway_app(backends)) as channel:
        front = rpc.ImageAnalysisServiceStub(channel)
        before = await capabilities(front)
        await served.__aexit__(None, None, None)

        after = await capabilities(front)

    assert [one.HasField("model") for one in before.features] == [True, True, True]
    assert [one.HasField("model") for one in after.features] == [True, True, False]
    assert after.features[2].task == model_pb2.TASK_DETECTION


async def test_an_error_names_no_address() -> None:
    async with running(gateway_app({"detection": f"{LOOPBACK}:1"})) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await rpc.ImageAnalysisServiceStub(channel).AnalyzeImage(
                pb.AnalyzeImageRequest(image=IMAGE), timeout=5
            )

    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
    assert failure.value.details() == "objects: no service answers for objects"
    assert LOOPBACK not in str(status_of(failure.value))


async def test_a_service_tells_its_model() -> None:
    async with running(model_app(FakeModel("caption"))) as channel:
        answer = await model_pb2_grpc.ModelServiceStub(channel).GetModel(
            model_pb2.GetModelRequest(), timeout=5
        )

    assert answer.model.feature == "captions"
    assert answer.model.task == model_pb2.TASK_CAPTION


async def test_a_model_tells_what_its_threshold_sets_reached_and_which_labels_they_never_give() -> (
    None
):
    model = FakeModel("detection")
    model.package = fake_package(
        threshold_sets={"fitted-v1": FITTED}, default_threshold_set="fitted-v1"
    )
    async with running(model_app(model)) as channel:
        answer = await model_pb2_grpc.ModelServiceStub(channel).GetModel(
            model_pb2.GetModelRequest(), timeout=5
        )

    dog, cat = answer.model.labels
    assert (dog.HasField("present_from"), cat.HasField("present_from")) == (True, False)
    (fitted,) = answer.model.threshold_sets
    assert json_format.MessageToDict(fitted, preserving_proto_field_name=True) == {
        "id": "fitted-v1",
        "policy": {
            "name": "precision-75",
            "target_precision": 0.75,
            "target_absent": 0.5,
            "dataset": "pets",
            "split": "val",
            "count": 40,
        },
        "bands": [
            {"label": "*", "absent_below": 0.25},
            {
                "label": "dog",
                "present_from": 0.75,
                "absent_below": 0.25,
                "when_present": {
                    "precision": 0.75,
                    "precision_low": 0.5,
                    "recall": 0.5,
                    "coverage": 0.25,
                    "count": 10,
                },
            },
        ],
    }


async def test_a_service_without_its_model_tells_its_operator_why() -> None:
    app = detector(ModelSettings(model="/nowhere/at/all"), ComputePool(1, lend_after=1))
    async with (
        serving(server_settings(), app) as ports,
        grpc.aio.insecure_channel(f"{LOOPBACK}:{ports.grpc}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await model_pb2_grpc.ModelServiceStub(channel).GetModel(
                model_pb2.GetModelRequest(), timeout=5
            )

    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
    assert reason(status_of(failure.value)) == "NOT_READY"


@pytest.mark.parametrize("given", ["", "my id / 1", "x" * 128])
async def test_the_callers_id_comes_back_or_one_is_made(
    front: rpc.ImageAnalysisServiceStub, given: str
) -> None:
    response = await front.AnalyzeImage(
        pb.AnalyzeImageRequest(image=IMAGE, request_id=given), timeout=5
    )

    assert response.request_id == given or (not given and len(response.request_id) == 32)
    assert response.lane == "stable"


async def test_an_id_may_come_beside_the_message_and_no_lane_is_made_up(
    front: rpc.ImageAnalysisServiceStub,
) -> None:
    response = await front.AnalyzeImage(
        pb.AnalyzeImageRequest(image=IMAGE),
        timeout=5,
        metadata=(("trilens-request-id", "from-metadata"), ("trilens-lane", "canary")),
    )

    assert (response.request_id, response.lane) == ("from-metadata", "stable")


APPS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "gateway": (
        lambda: gateway_app({task: FakeModel(task) for task in FEATURES}),
        ("trilens.v1.ImageAnalysisService",),
    ),
    "classifier": (
        lambda: model_app(FakeModel("classification")),
        ("trilens.v1.ClassifierService", "trilens.v1.ModelService"),
    ),
    "captioner": (
        lambda: model_app(FakeModel("caption")),
        ("trilens.v1.CaptionerService", "trilens.v1.ModelService"),
    ),
    "detector": (
        lambda: model_app(FakeModel("detection")),
        ("trilens.v1.DetectorService", "trilens.v1.ModelService"),
    ),
}


@pytest.mark.parametrize("name", APPS)
async def test_clients_need_no_proto_files(name: str) -> None:
    make, services = APPS[name]
    async with serving(server_settings(), make()) as ports:
        listed, methods = await asyncio.to_thread(_reflect, ports.grpc, services)

    assert set(listed) == {*services, HEALTH, REFLECTION}
    for service, found in methods.items():
        described = pb.DESCRIPTOR.pool.FindServiceByName(service)
        assert found == {
            method.name: [field.name for field in method.input_type.fields]
            for method in described.methods
        }


def _reflect(port: int, services: tuple[str, ...]) -> tuple[Any, dict[str, dict[str, list[str]]]]:
    """The services a server lists, and the methods and request fields of its own."""
    with grpc.insecure_channel(f"{LOOPBACK}:{port}") as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        listed = database.get_services()
        return listed, {
            service: {
                method.name: [field.name for field in method.input_type.fields]
                for method in pool.FindServiceByName(service).methods
            }
            for service in services
        }


@pytest.mark.parametrize("name", APPS)
async def test_health_knows_every_name(name: str) -> None:
    make, services = APPS[name]
    app: App = make()
    async with running(app) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for known in ("", "live", "ready", *services):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=known), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING, known
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await health.Check(health_pb2.HealthCheckRequest(service="other"), timeout=5)

    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_feature_that_is_switched_off_is_skipped_where_it_is_named() -> None:
    features = {
        "captions": FeatureSettings(task="caption", model="fake"),
        "objects": FeatureSettings(task="detection", model="fake", enabled=False),
    }
    app = GatewayApp(
        GatewaySettings(features=features),
        server_settings(),
        lambda feature, pool: model_app(FakeModel(feature.task), pool=pool),
    )
    async with running(app) as channel:
        front = rpc.ImageAnalysisServiceStub(channel)
        unnamed = await front.AnalyzeImage(pb.AnalyzeImageRequest(image=IMAGE), timeout=5)
        request = pb.AnalyzeImageRequest(image=IMAGE, features=[{"feature": f} for f in features])
        response = await front.AnalyzeImage(request, timeout=5)
        told = await capabilities(front)

    assert unnamed.completeness == pb.COMPLETENESS_FULL
    assert list(unnamed.outcomes) == ["captions"]
    assert response.completeness == pb.COMPLETENESS_PARTIAL
    assert response.outcomes["objects"].state == pb.STATE_SKIPPED
    assert reason(response.outcomes["objects"].status) == "FEATURE_OFF"
    assert [one.HasField("model") for one in told.features] == [True, False]
    assert [one.on_by_default for one in told.features] == [True, False]
