"""Explanations: what they may take, who goes first, and what stands in their place."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from opentelemetry import propagate

from chassis.compute import ComputePool
from chassis.images import Pixels
from services.batcher import Batcher, BatchLimits
from services.explaining import Explaining, ExplainingLimits
from services.model import ModelError
from tests.collector import collecting, exporting
from tests.fakes import HEAT, PREDICTIONS, FakeExplainer, FakeModel
from tests.harness import a_call
from tests.statuses import reason
from trilens.v1 import explanation_pb2 as pb

PIXELS = Pixels(np.zeros((8, 8, 3), np.uint8))
FACE = PREDICTIONS["classification"]  # one face with two labels


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


@asynccontextmanager
async def explaining(
    explainer: FakeExplainer, seconds: float = 10.0, most: int = 4, slots: int = 2
) -> AsyncIterator[tuple[Explaining, ComputePool]]:
    pool = ComputePool(slots, lend_after=30)
    yield Explaining(explainer, pool, ExplainingLimits(seconds, most)), pool
    pool.close()


async def begun(explainer: FakeExplainer) -> None:
    assert await asyncio.to_thread(explainer.began.wait, 10)


async def test_every_map_is_there_with_its_strongest_value_apart() -> None:
    async with explaining(FakeExplainer()) as (one, _):
        made = await one.explain(PIXELS, FACE, a_call())

    assert made.status.code == 0
    assert made.method == pb.EXPLANATION_METHOD_OCCLUSION
    assert [(map_.face, map_.label) for map_ in made.heatmaps] == [
        (0, "smiling"),
        (0, "sunglasses"),
    ]
    (first, _) = made.heatmaps
    assert (first.rows, first.columns) == HEAT.shape
    assert min(first.values) >= -1
    assert max(first.values) == 1
    values = np.array(first.values).reshape(HEAT.shape) * first.strongest
    assert np.allclose(values, HEAT)


async def test_a_map_of_nothing_is_all_zeros() -> None:
    explainer = FakeExplainer(heat=np.zeros((2, 2), np.float32))
    async with explaining(explainer) as (one, _):
        (first, _) = (await one.explain(PIXELS, FACE, a_call())).heatmaps

    assert (list(first.values), first.strongest) == ([0] * 4, 0)


async def test_half_of_the_time_left_is_kept_for_the_answer(gate: threading.Event) -> None:
    async with explaining(FakeExplainer(gate=gate)) as (one, _):
        call = a_call(2.0)
        made = await one.explain(PIXELS, FACE, call)
        left = call.deadline.left()

    assert reason(made.status) == "DEADLINE_EXCEEDED"
    assert not made.heatmaps
    assert left > 0.5  # 1.0, were the machine idle


async def test_what_an_operator_allows_is_not_exceeded(gate: threading.Event) -> None:
    async with explaining(FakeExplainer(gate=gate), seconds=0.05) as (one, _):
        made = await one.explain(PIXELS, FACE, a_call(60))

    assert reason(made.status) == "EXPLANATION_TOO_LONG"


async def test_maps_that_were_ready_in_time_are_kept() -> None:
    class Stuck(FakeExplainer):
        """Stops before its second map."""

        def explain(self, pixels: Pixels, part: object) -> Iterator[object]:
            for number, step in enumerate(super().explain(pixels, part)):
                yield step
                if number == 1:
                    gate.wait()

    gate = threading.Event()
    async with explaining(Stuck(), seconds=0.5) as (one, _):
        made = await one.explain(PIXELS, FACE, a_call())
        gate.set()

    assert [map_.label for map_ in made.heatmaps] == ["smiling"]
    assert reason(made.status) == "EXPLANATION_TOO_LONG"


async def test_one_more_than_may_be_under_way_is_refused_at_once(gate: threading.Event) -> None:
    explainer = FakeExplainer(gate=gate)
    async with explaining(explainer, most=1) as (one, _):
        first = asyncio.create_task(one.explain(PIXELS, FACE, a_call(30)))
        await begun(explainer)
        refused = await one.explain(PIXELS, FACE, a_call(30))
        gate.set()
        answered = await first

    assert reason(refused.status) == "QUEUE_FULL"
    assert answered.status.code == 0


@pytest.mark.parametrize("broken", [ModelError("no face"), RuntimeError("weights at /mnt/x")])
async def test_a_photo_that_cannot_be_explained_says_no_more_than_that(broken: Exception) -> None:
    async with explaining(FakeExplainer(broken=broken)) as (one, _):
        made = await one.explain(PIXELS, FACE, a_call())

    assert reason(made.status) == "MODEL_FAILED"
    assert made.status.message == "the model could not explain this photo"


async def test_a_photo_goes_before_the_next_step_of_an_explanation(gate: threading.Event) -> None:
    explainer, model = FakeExplainer(gate=gate), FakeModel()
    async with explaining(explainer, slots=1) as (one, pool):
        batcher = Batcher(model, pool, BatchLimits(max_batch=1, max_waiting=8, max_running=1))
        explained = asyncio.create_task(one.explain(PIXELS, FACE, a_call(30)))
        await begun(explainer)  # the only core is at work on a step, and more of them follow
        predicted = asyncio.create_task(batcher.predict(PIXELS, a_call(30)))
        await asyncio.sleep(0)
        gate.set()
        await predicted

        assert not explained.done()
        assert (await explained).status.code == 0


async def test_a_caller_who_leaves_ends_the_explanation(gate: threading.Event) -> None:
    explainer = FakeExplainer(gate=gate)
    async with explaining(explainer, most=1) as (one, _):
        left = asyncio.create_task(one.explain(PIXELS, FACE, a_call(30)))
        await begun(explainer)
        left.cancel()
        await asyncio.wait((left,))
        gate.set()
        made = await one.explain(PIXELS, FACE, a_call(30))

    assert left.cancelled()
    assert made.status.code == 0
    assert one.idle()


async def test_it_is_a_span_of_its_call_which_names_what_cut_it_short(
    gate: threading.Event,
) -> None:
    trace, caller = f"{7:032x}", "00f067aa0ba902b7"
    call = a_call(60, trace=propagate.extract({"traceparent": f"00-{trace}-{caller}-01"}))
    async with (
        collecting() as (collector, endpoint),
        exporting(endpoint),
        explaining(FakeExplainer(gate=gate), 0.05) as (one, _),
    ):
        await one.explain(PIXELS, FACE, call)

    (span,) = collector.trace(trace)
    assert (span.name, span.parent_span_id.hex()) == ("explain", caller)
    assert span.status.message == "ExplanationTooLong"
