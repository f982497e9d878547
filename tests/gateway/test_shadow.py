"""Shadow copies: the canary is asked what stable has answered, and no caller notices."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chassis.metrics import REGISTRY
from services.detector.model import Detection, Detections
from tests.collector import attributes, collecting, exporting
from tests.fakes import SOMEWHERE, FakeExplainer, FakeModel
from tests.releases import (
    CANARY_VERSION,
    SECONDS,
    STABLE_VERSION,
    NotingDetector,
    noting,
    released,
    service,
    until,
    value,
)
from trilens.v1 import analysis_pb2 as pb

OBJECTS = {"objects": CANARY_VERSION}
CALLS = 12
PARROT = Detections((Detection("cat", 0.9, SOMEWHERE),))


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a canary waits for; let go of in the end, whatever happens."""
    made = threading.Event()
    yield made
    made.set()


@asynccontextmanager
async def shadowed(
    folder: Path,
    canary: FakeModel,
    shadow: float = 100,
    version: str = CANARY_VERSION,
    **settings: Any,
) -> AsyncIterator[Any]:
    """A gateway whose stable calls, all of them, are copied to that canary."""
    settings = {"max_shadow": 100} | settings
    async with AsyncExitStack() as stack:
        target = await stack.enter_async_context(service(canary))
        gateway = await stack.enter_async_context(released(folder, **settings))
        gateway.targets["objects"] = target
        await gateway.release(0, shadow, canary={"objects": version})
        yield gateway


def agreement(aspect: str, outcome: str, feature: str = "objects") -> float:
    return value(
        "trilens_agreement_total",
        feature=feature,
        stable_version=STABLE_VERSION,
        canary_version=CANARY_VERSION,
        aspect=aspect,
        outcome=outcome,
    )


def copies(outcome: str) -> float:
    return value("trilens_shadow_total", feature="objects", outcome=outcome)


class Since:
    """How much a figure has grown since."""

    def __init__(self, figure: Any, *of: str) -> None:
        self._figure, self._of = figure, of
        self._before = figure(*of)

    def __call__(self) -> float:
        return self._figure(*self._of) - self._before


@pytest.mark.parametrize(
    ("prediction", "outcome"), [(None, "same"), (PARROT, "different")], ids=["alike", "a parrot"]
)
async def test_every_copied_photo_counts_once_in_every_aspect(
    tmp_path: Path, prediction: Any, outcome: str
) -> None:
    compared = Since(copies, "compared")
    boxes, dogs = Since(agreement, "boxes", outcome), Since(agreement, "label:dog", outcome)
    canary = FakeModel(version=CANARY_VERSION, prediction=prediction)
    async with shadowed(tmp_path, canary) as gateway:
        answers = [await gateway.ask() for _ in range(CALLS)]
        await until(lambda: compared() == CALLS)

    assert {one.lane for one in answers} == {"stable"}
    assert (boxes(), dogs()) == (CALLS, CALLS)


async def test_where_canary_and_stable_agree_on_all_the_share_that_differs_is_0(
    tmp_path: Path,
) -> None:
    compared = Since(copies, "compared")
    newer = "1.1.1"  # of which nothing was told before
    async with shadowed(tmp_path, FakeModel(version=newer), version=newer) as gateway:
        await gateway.ask()
        await until(lambda: compared() == 1)

    versions = {"stable_version": STABLE_VERSION, "canary_version": newer}
    about = {"feature": "objects", "aspect": "boxes", **versions}
    told = {
        outcome: REGISTRY.get_sample_value("trilens_agreement_total", {**about, "outcome": outcome})
        for outcome in ("same", "different")
    }
    assert told == {"same": 1, "different": 0}


async def test_the_share_that_is_copied_is_the_one_asked_for(tmp_path: Path) -> None:
    compared = Since(copies, "compared")
    async with shadowed(tmp_path, FakeModel(version=CANARY_VERSION), 25) as gateway:
        for number in range(200):
            await gateway.ask(request_id=f"call-{number}")
        await until(lambda: compared() >= 20)

    assert 20 <= compared() <= 85  # 50, give or take five deviations


async def test_answers_do_not_wait_for_a_canary_that_hangs(
    tmp_path: Path, gate: threading.Event
) -> None:
    dropped = Since(copies, "dropped")
    canary = FakeModel(version=CANARY_VERSION, gate=gate)
    async with shadowed(tmp_path, canary, max_shadow=2, shadow_seconds=60) as gateway:
        answers = [await gateway.ask(seconds=5) for _ in range(CALLS)]

        assert all(one.completeness == pb.COMPLETENESS_FULL for one in answers)
        assert dropped() == CALLS - 2  # never more at once than that


async def test_a_copy_has_a_deadline_of_its_own(tmp_path: Path, gate: threading.Event) -> None:
    late, compared = Since(copies, "timed_out"), Since(copies, "compared")
    canary = FakeModel(version=CANARY_VERSION, gate=gate)
    async with shadowed(tmp_path, canary, max_shadow=1, shadow_seconds=0.2) as gateway:
        await gateway.ask()
        await until(lambda: late() == 1)
        gate.set()

        async with asyncio.timeout(SECONDS):
            while compared() == 0:
                await gateway.ask()  # there is room again


async def test_copies_leave_no_mark_on_what_is_measured_of_answers(tmp_path: Path) -> None:
    def answers(lane: str) -> float:
        return value("trilens_answers_total", completeness="full", lane=lane)

    def seconds(lane: str) -> float:
        version = CANARY_VERSION if lane == "canary" else STABLE_VERSION
        labels = {"feature": "objects", "version": version, "lane": lane, "outcome": "ok"}
        return value("trilens_feature_seconds_count", **labels)

    compared = Since(copies, "compared")
    stable = [Since(figure, "stable") for figure in (answers, seconds)]
    canary = [Since(figure, "canary") for figure in (answers, seconds)]
    async with shadowed(tmp_path, FakeModel(version=CANARY_VERSION)) as gateway:
        for _ in range(CALLS):
            await gateway.ask()
        await until(lambda: compared() == CALLS)

    assert [figure() for figure in stable] == [CALLS, CALLS]
    assert [figure() for figure in canary] == [0, 0]


async def test_calls_on_the_canary_are_not_copied(tmp_path: Path) -> None:
    canary = FakeModel(version=CANARY_VERSION)
    async with shadowed(tmp_path, canary) as gateway:
        await gateway.overlay(100, shadow=100)
        for _ in range(CALLS):
            await gateway.ask()

    assert len(canary.seen) == CALLS


async def test_calls_that_name_their_lane_are_not_copied(tmp_path: Path) -> None:
    canary = FakeModel(version=CANARY_VERSION)
    async with shadowed(tmp_path, canary) as gateway:
        for _ in range(CALLS):
            assert (await gateway.ask(lane="stable")).lane == "stable"
        await gateway.ask(lane="canary")

    assert len(canary.seen) == 1


async def test_only_answers_by_the_models_own_choices_are_compared(tmp_path: Path) -> None:
    compared = Since(copies, "compared")
    canary = FakeModel(version=CANARY_VERSION)
    async with shadowed(tmp_path, canary) as gateway:
        own = {"feature": "objects", "detection": {"score_threshold": 0.1}}
        await gateway.ask(features=[own])
        await gateway.ask(features=[{"feature": "objects", "detection": {}}])
        await until(lambda: compared() == 1)

    assert len(canary.seen) == 1


async def test_an_explanation_is_not_asked_for_twice(tmp_path: Path) -> None:
    def compared() -> float:
        return value("trilens_shadow_total", feature="captions", outcome="compared")

    before = compared()
    explainer = FakeExplainer()
    stable = {
        "caption": FakeModel("caption", version=STABLE_VERSION, explainer=FakeExplainer()),
    }
    canary = FakeModel("caption", version=CANARY_VERSION, explainer=explainer)
    async with AsyncExitStack() as stack:
        target = await stack.enter_async_context(service(canary))
        gateway = await stack.enter_async_context(released(tmp_path, stable))
        gateway.targets["captions"] = target
        await gateway.release(0, 100, canary={"captions": CANARY_VERSION})
        answer = await gateway.ask(features=[{"feature": "captions", "caption": {"explain": True}}])
        await until(lambda: compared() == before + 1)

    assert answer.outcomes["captions"].caption.HasField("explanation")
    assert explainer.asked == []


async def test_a_canary_that_breaks_costs_callers_nothing_and_counts_as_failed(
    tmp_path: Path,
) -> None:
    failed, boxes = Since(copies, "failed"), Since(agreement, "boxes", "different")
    canary = FakeModel(version=CANARY_VERSION, broken=RuntimeError("no"))
    async with shadowed(tmp_path, canary) as gateway:
        answers = [await gateway.ask() for _ in range(CALLS)]
        await until(lambda: failed() == CALLS)

    assert all(one.completeness == pb.COMPLETENESS_FULL for one in answers)
    assert boxes() == 0


async def test_a_gateway_that_drains_gives_its_copies_up(
    tmp_path: Path, gate: threading.Event
) -> None:
    dropped = Since(copies, "dropped")
    canary = FakeModel(version=CANARY_VERSION, gate=gate)
    async with service(canary) as target:
        async with released(tmp_path, shadow_seconds=600) as gateway:
            gateway.targets["objects"] = target
            await gateway.release(0, 100, canary=OBJECTS)
            await gateway.ask()
            await asyncio.to_thread(canary.began.wait, SECONDS)
            began = time.monotonic()

        assert time.monotonic() - began < SECONDS
        assert dropped() == 1
        gate.set()


async def test_the_canary_is_told_that_a_copy_may_wait_and_whose_it_is(tmp_path: Path) -> None:
    canary = NotingDetector()
    async with AsyncExitStack() as stack:
        target = await stack.enter_async_context(noting(canary))
        gateway = await stack.enter_async_context(released(tmp_path))
        gateway.targets["objects"] = target
        await gateway.release(0, 100, canary=OBJECTS)
        await gateway.ask(request_id="mine")
        await until(lambda: len(canary.metadata) == 1)

    came = canary.metadata[0]
    assert came["trilens-priority"] == "shadow"
    assert (came["trilens-lane"], came["trilens-request-id"]) == ("canary", "mine")


async def test_a_copy_is_part_of_its_calls_trace(tmp_path: Path) -> None:
    compared = Since(copies, "compared")
    async with (
        collecting() as (collector, endpoint),
        exporting(endpoint),
        shadowed(tmp_path, FakeModel(version=CANARY_VERSION)) as gateway,
    ):
        await gateway.ask()
        await until(lambda: compared() == 1)

    (asked,) = collector.named("trilens.v1.ImageAnalysisService/AnalyzeImage")
    (copy,) = collector.named("shadow")
    assert (copy.trace_id, copy.parent_span_id) == (asked.trace_id, asked.span_id)
    assert attributes(asked)["trilens.lane"] == "stable"
    assert attributes(copy)["trilens.outcome"] == "compared"
