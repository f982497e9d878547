"""BatchAnalyzeImages: a bounded list in which every photo stands for itself."""

from typing import Any

import grpc
import pytest

from tests.fates import FAILED, OK, TIMED_OUT, Fates, gateway, named
from tests.harness import PHOTOS, running
from tests.statuses import reason, status_of, violations
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc

IMAGES = {
    name: {"content": (PHOTOS / name).read_bytes()}
    for name in ("astronaut_small.png", "hopper.jpg", "cat.jpg")
}
IMAGE = IMAGES["astronaut_small.png"]


async def analyze(front: rpc.ImageAnalysisServiceStub, *requests: Any) -> Any:
    return (
        await front.BatchAnalyzeImages(pb.BatchAnalyzeImagesRequest(requests=requests), timeout=10)
    ).items


async def test_answers_come_in_the_order_of_the_photos(
    front: rpc.ImageAnalysisServiceStub,
) -> None:
    requests = [{"image": image, "request_id": name} for name, image in IMAGES.items()]

    items = await analyze(front, *requests, *reversed(requests))

    names = [*IMAGES, *reversed(IMAGES)]
    assert [item.response.request_id for item in items] == names
    assert [item.response.image.format for item in items] == [
        "png" if name.endswith("png") else "jpeg" for name in names
    ]
    assert {item.response.completeness for item in items} == {pb.COMPLETENESS_FULL}
    assert {item.status.code for item in items} == {0}


async def test_a_photo_that_cannot_be_used_fails_alone(
    front: rpc.ImageAnalysisServiceStub,
) -> None:
    items = await analyze(
        front,
        {"image": IMAGE},
        {"image": {"content": b"no photo"}},
        {"features": [{"feature": "smells"}]},
        {"image": IMAGE},
    )

    assert [item.status.code for item in items] == [0, 3, 3, 0]
    assert [item.HasField("response") for item in items] == [True, False, False, True]
    assert violations(items[1].status).keys() == {"image.content"}
    assert violations(items[2].status).keys() == {"image", "features[0].feature"}


@pytest.mark.parametrize("count", [0, 17])
async def test_an_empty_or_overlong_batch_is_refused_as_a_whole(
    front: rpc.ImageAnalysisServiceStub, count: int
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await analyze(front, *[{"image": IMAGE}] * count)

    assert violations(status_of(refusal.value)) == {"requests": f"must hold 1 to 16, not {count}"}


async def test_a_photo_whose_required_feature_fails_has_its_own_status() -> None:
    good, broken = named("captions", OK), named("objects", FAILED)
    features = [{"feature": good}, {"feature": broken}]
    required = [{"feature": good}, {"feature": broken, "required": True}]
    async with running(gateway({good: None, broken: None}, Fates())) as channel:
        items = await analyze(
            rpc.ImageAnalysisServiceStub(channel),
            {"image": IMAGE, "features": features},
            {"image": IMAGE, "features": required},
        )

    assert [item.status.code for item in items] == [0, 13]
    assert reason(items[1].status) == "ANALYSIS_FAILED"


async def test_photos_that_find_no_place_are_shed_each_for_itself() -> None:
    good = named("captions", OK)
    app = gateway({good: None}, Fates(), max_active=1, max_waiting=2)
    async with running(app) as channel:
        items = await analyze(rpc.ImageAnalysisServiceStub(channel), *[{"image": IMAGE}] * 5)

    assert [item.status.code for item in items] == [0, 0, 0, 8, 8]
    assert reason(items[-1].status) == "QUEUE_FULL"


async def test_photos_that_never_get_their_turn_do_not_cost_the_others_their_answer() -> None:
    good, frozen, fates = named("captions", OK), named("objects", TIMED_OUT), Fates()
    first = {"image": IMAGE, "features": [{"feature": good}]}
    other = {"image": IMAGE, "features": [{"feature": frozen}]}
    app = gateway({good: None, frozen: None}, fates, max_active=1)
    try:
        async with running(app) as channel:
            request = pb.BatchAnalyzeImagesRequest(requests=[first, other, other, other])
            front = rpc.ImageAnalysisServiceStub(channel)
            answered = await front.BatchAnalyzeImages(request, timeout=1)
    finally:
        fates.release()

    assert [item.status.code for item in answered.items] == [0, 4, 4, 4]
