"""Lanes: which calls meet the canary, with real services on both of them."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.lanes import share
from tests.collector import attributes, collecting, exporting
from tests.fakes import FakeModel
from tests.harness import LOOPBACK
from tests.releases import (
    CANARY_VERSION,
    SECONDS,
    STABLE_VERSION,
    NotingDetector,
    Released,
    noting,
    released,
    service,
    until,
    value,
)
from trilens.v1 import analysis_pb2 as pb

OBJECTS = {"objects": CANARY_VERSION}
NEW = "objects=1.1.0"

keys = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=128)
percents = st.floats(0, 100)


@given(keys, percents, percents)
def test_a_key_on_the_canary_stays_there_while_the_weight_grows(
    key: str, one: float, other: float
) -> None:
    low, high = sorted((one, other))

    assert not share(key, NEW) < low or share(key, NEW) < high


@given(keys, keys)
def test_a_keys_place_is_below_a_hundred_and_always_the_same(key: str, salt: str) -> None:
    assert 0 <= share(key, salt) < 100
    assert share(key, salt) == share(key, salt)


@given(keys)
def test_no_key_meets_a_canary_of_weight_nothing_and_every_one_that_of_a_hundred(key: str) -> None:
    assert not share(key, NEW) < 0
    assert share(key, NEW) < 100


def test_places_are_the_same_in_every_process() -> None:
    # Written down: with others, callers would change their lanes when the gateway is upgraded.
    places = [round(share(key, NEW), 6) for key in ("", "user-1", "user-2")]
    assert places == [38.954767, 98.649102, 10.754929]


@pytest.mark.parametrize("weight", [0.5, 5, 25, 50, 95])
def test_the_share_of_keys_is_the_weight(weight: float) -> None:
    count = 20_000
    met = sum(share(f"user-{n}", NEW) < weight for n in range(count))

    p = weight / 100
    assert abs(met - count * p) < 4 * sqrt(count * p * (1 - p))  # 1 in 16,000, were it chance


def test_who_meets_one_canary_says_nothing_about_the_next() -> None:
    count, p = 20_000, 0.25
    both = sum(
        share(f"user-{n}", NEW) < 25 and share(f"user-{n}", "objects=1.2.0") < 25
        for n in range(count)
    )

    expected = count * p * p
    assert abs(both - expected) < 4 * sqrt(expected * (1 - p * p))


@asynccontextmanager
async def with_canary(
    folder: Path, model: FakeModel | None = None, **settings: Any
) -> AsyncIterator[Released]:
    """A gateway with a canary that no release names yet."""
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(released(folder, **settings))
        model = model or FakeModel(version=CANARY_VERSION)
        made.targets["objects"] = await stack.enter_async_context(service(model))
        yield made


def met(answer: pb.AnalyzeImageResponse) -> tuple[str, str]:
    return answer.lane, answer.outcomes["objects"].model.version


async def test_the_lane_in_the_answer_is_that_of_the_model_that_answered(tmp_path: Path) -> None:
    async with with_canary(tmp_path) as gateway:
        await gateway.release(50, canary=OBJECTS)

        answers = [await gateway.ask(f"user-{n}") for n in range(40)]

    assert {met(one) for one in answers} == {
        ("stable", STABLE_VERSION),
        ("canary", CANARY_VERSION),
    }


async def test_callers_keep_their_lane_and_growing_weights_only_add_to_the_canary(
    tmp_path: Path,
) -> None:
    async with with_canary(tmp_path) as gateway:
        await gateway.release(10, canary=OBJECTS)
        first = await gateway.lanes(100)
        again = await gateway.lanes(100)
        await gateway.overlay(50)
        grown = await gateway.lanes(100)
        await gateway.overlay(100)
        everyone = await gateway.lanes(100)
        await gateway.overlay(0)
        nobody = await gateway.lanes(100)

    assert first == again
    assert 1 <= list(first.values()).count("canary") < list(grown.values()).count("canary")
    assert all(grown[key] == "canary" for key, lane in first.items() if lane == "canary")
    assert (set(everyone.values()), set(nobody.values())) == ({"canary"}, {"stable"})


async def test_a_call_without_a_key_is_chosen_by_its_request_id(tmp_path: Path) -> None:
    async with with_canary(tmp_path) as gateway:
        await gateway.release(50, canary=OBJECTS)

        lanes = [
            [(await gateway.ask(request_id=f"call-{n}")).lane for _ in range(3)] for n in range(20)
        ]

    assert all(len(set(one)) == 1 for one in lanes)
    assert {one[0] for one in lanes} == {"stable", "canary"}


async def test_a_tester_names_the_lane(tmp_path: Path) -> None:
    async with with_canary(tmp_path) as gateway:
        await gateway.release(0, canary=OBJECTS)
        assert met(await gateway.ask(lane="canary")) == ("canary", CANARY_VERSION)
        assert met(await gateway.ask(lane="blue")) == ("stable", STABLE_VERSION)

        await gateway.overlay(100)
        assert met(await gateway.ask(lane="stable")) == ("stable", STABLE_VERSION)
        assert met(await gateway.ask(lane="blue")) == ("canary", CANARY_VERSION)


async def test_callers_may_be_kept_from_naming_it(tmp_path: Path) -> None:
    async with with_canary(tmp_path, lane_header=False) as gateway:
        await gateway.release(0, canary=OBJECTS)

        assert (await gateway.ask(lane="canary")).lane == "stable"


async def test_capabilities_are_those_of_the_lane_that_is_named(tmp_path: Path) -> None:
    async with with_canary(tmp_path) as gateway:
        await gateway.release(0, canary=OBJECTS)

        assert await gateway.versions() == {"objects": STABLE_VERSION}
        assert await gateway.versions("canary") == {"objects": CANARY_VERSION}


async def test_a_canary_that_serves_another_version_gets_no_calls(tmp_path: Path) -> None:
    async with with_canary(tmp_path, FakeModel(version="6.6.6")) as gateway:
        await gateway.release(100, canary=OBJECTS, usable=False)

        assert set((await gateway.lanes(20)).values()) == {"stable"}
        assert (await gateway.ask(lane="canary")).lane == "stable"
        assert value("trilens_canary_usable") == 0


async def test_all_is_stable_while_the_canary_is_gone_and_no_call_fails_for_it_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway.lanes")
    async with released(tmp_path) as gateway:
        async with service(FakeModel(version=CANARY_VERSION)) as target:
            gateway.targets["objects"] = target
            await gateway.release(100, canary=OBJECTS)
            assert set((await gateway.lanes(10)).values()) == {"canary"}
        await until(lambda: value("trilens_canary_usable") == 0)

        assert set((await gateway.lanes(10)).values()) == {"stable"}
        port = int(target.rpartition(":")[2])
        async with service(FakeModel(version=CANARY_VERSION), port):
            await until(lambda: value("trilens_canary_usable") == 1)
            assert set((await gateway.lanes(10)).values()) == {"canary"}

    heard = [line for line in caplog.messages if line.startswith("canary [")]
    assert heard == [
        "canary [objects=1.1.0] has ready pods",
        "canary [objects=1.1.0] has no ready pod any more: every call is stable",
        "canary [objects=1.1.0] has ready pods",
    ]


async def test_a_bundle_gets_calls_only_once_all_of_it_is_there(tmp_path: Path) -> None:
    stable = {task: FakeModel(task, version=STABLE_VERSION) for task in ("detection", "caption")}
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(released(tmp_path, stable))
        objects = FakeModel("detection", version=CANARY_VERSION)
        gateway.targets["objects"] = await stack.enter_async_context(service(objects))
        gateway.targets["captions"] = f"{LOOPBACK}:1"  # nobody
        both = {"objects": CANARY_VERSION, "captions": "2.0.0"}
        await gateway.release(100, canary=both, usable=False)
        assert set((await gateway.lanes(10)).values()) == {"stable"}
        assert not objects.seen

        captions = FakeModel("caption", version="2.0.0")
        gateway.targets["captions"] = await stack.enter_async_context(service(captions))
        await gateway.release(100, canary=both)
        answer = await gateway.ask()

    assert answer.lane == "canary"
    versions = {name: one.model.version for name, one in answer.outcomes.items()}
    assert versions == both


async def test_a_feature_without_a_canary_is_answered_by_stable_on_both_lanes(
    tmp_path: Path,
) -> None:
    stable = {task: FakeModel(task, version=STABLE_VERSION) for task in ("detection", "caption")}
    async with with_canary(tmp_path, stable=stable) as gateway:
        await gateway.release(100, canary=OBJECTS)
        answer = await gateway.ask()

    versions = {name: one.model.version for name, one in answer.outcomes.items()}
    assert answer.lane == "canary"
    assert versions == {"objects": CANARY_VERSION, "captions": STABLE_VERSION}


async def test_a_canary_of_a_feature_that_is_not_here_is_left_alone(tmp_path: Path) -> None:
    async with with_canary(tmp_path) as gateway:
        gateway.targets["shoes"] = f"{LOOPBACK}:1"
        await gateway.release(100, canary={**OBJECTS, "shoes": "1.0.0"})

        assert met(await gateway.ask()) == ("canary", CANARY_VERSION)


async def test_a_call_finishes_on_its_lane_when_the_release_drops_it(tmp_path: Path) -> None:
    gate = threading.Event()
    slow = FakeModel(version=CANARY_VERSION, gate=gate)
    try:
        async with with_canary(tmp_path, slow) as gateway:
            await gateway.release(100, canary=OBJECTS)
            call = asyncio.create_task(gateway.ask(seconds=SECONDS))
            await asyncio.to_thread(slow.began.wait, SECONDS)

            await gateway.release(0)
            assert met(await gateway.ask()) == ("stable", STABLE_VERSION)
            gate.set()
            assert met(await call) == ("canary", CANARY_VERSION)
    finally:
        gate.set()


async def test_canaries_follow_each_other_without_a_restart_and_no_call_fails(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(released(tmp_path))
        over = asyncio.Event()
        answers: list[pb.AnalyzeImageResponse] = []
        last: dict[int, pb.AnalyzeImageResponse] = {}

        async def load(number: int) -> None:
            while not over.is_set():
                last[number] = await gateway.ask(f"user-{number}")
                answers.append(last[number])

        def newest() -> set[tuple[str, str]]:
            # Of every caller: one that is still under way may yet ask the canary.
            return {met(one) for one in last.values()}

        load_tasks = [asyncio.create_task(load(n)) for n in range(4)]
        for version in ("2.0.0", "3.0.0", "4.0.0"):
            async with service(FakeModel(version=version)) as target:
                gateway.targets["objects"] = target
                await gateway.release(50, canary={"objects": version})
                await gateway.overlay(100)
                await until(lambda version=version: newest() == {("canary", version)})
                await gateway.release(0)
                await until(lambda: newest() == {("stable", STABLE_VERSION)})
        over.set()
        await asyncio.gather(*load_tasks)

    assert all(one.completeness == pb.COMPLETENESS_FULL for one in answers)


async def test_a_call_is_tried_again_on_its_own_lane_which_services_are_told(
    tmp_path: Path,
) -> None:
    canary = NotingDetector(away=2)
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(released(tmp_path))
        gateway.targets["objects"] = await stack.enter_async_context(noting(canary))
        await gateway.release(100, canary=OBJECTS)

        assert met(await gateway.ask()) == ("canary", CANARY_VERSION)

    assert [one["trilens-lane"] for one in canary.metadata] == ["canary"] * 3


async def test_photos_of_a_batch_keep_their_lane_when_it_is_sent_again(tmp_path: Path) -> None:
    async with with_canary(tmp_path) as gateway:
        await gateway.release(50, canary=OBJECTS)

        first, again = [await gateway.batch(16, "batch-1") for _ in range(2)]

    assert first == again
    assert set(first) == {"stable", "canary"}


async def test_a_trace_says_which_lane_the_call_met(tmp_path: Path) -> None:
    async with (
        collecting() as (collector, endpoint),
        exporting(endpoint),
        with_canary(tmp_path) as gateway,
    ):
        await gateway.release(100, canary=OBJECTS)
        await gateway.ask()

    asked = collector.named("trilens.v1.ImageAnalysisService/AnalyzeImage")
    predicted = collector.named("infer")
    assert [attributes(one)["trilens.lane"] for one in (*asked, *predicted)] == ["canary"] * 2
