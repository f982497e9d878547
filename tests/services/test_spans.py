"""A batch that several calls share, of which only some are sampled."""

import asyncio

import numpy as np
import pytest
from opentelemetry import propagate
from opentelemetry.context import Context

from chassis.images import Pixels
from tests.collector import attributes, collecting, exporting
from tests.fates import TIMED_OUT, Fates, named
from tests.harness import a_call
from trilens.v1 import detector_pb2 as pb

PIXELS = Pixels(np.zeros((8, 8, 3), np.uint8))
CALLER = "00f067aa0ba902b7"


def traced(number: int, flags: str) -> Context:
    return propagate.extract({"traceparent": f"00-{number:032x}-{CALLER}-{flags}"})


async def batch_of(*flags: str, endpoint: str) -> None:
    """One batch of calls with those flags, which queued while the model was busy."""
    fates = Fates()
    app = fates.app(named("objects", TIMED_OUT))
    async with exporting(endpoint):
        await app.start()
        first = asyncio.create_task(app.answer(PIXELS, pb.DetectionOptions(), a_call()))
        await asyncio.to_thread(fates.models[named("objects", TIMED_OUT)].began.wait)
        calls = [a_call(trace=traced(number, flag)) for number, flag in enumerate(flags, 1)]
        tasks = [
            asyncio.create_task(app.answer(PIXELS, pb.DetectionOptions(), call)) for call in calls
        ]
        await asyncio.sleep(0)  # each goes as far as the line
        fates.release()
        await asyncio.gather(first, *tasks)
        await app.stop()


async def test_a_batch_is_linked_with_its_sampled_members_only() -> None:
    async with collecting() as (collector, endpoint):
        await batch_of("01", "00", "01", endpoint=endpoint)

    (batch,) = (
        one for one in collector.named("batch") if attributes(one)["trilens.batch.size"] == 3
    )
    members = [one for one in collector.named("infer") if one.parent_span_id.hex() == CALLER]
    assert sorted(int(one.trace_id.hex(), 16) for one in members) == [1, 3]
    assert {link.span_id for link in batch.links} == {one.span_id for one in members}
    for member in members:
        assert [link.span_id for link in member.links] == [batch.span_id]
        assert attributes(member)["trilens.batch.size"] == 3


@pytest.mark.parametrize("flags", ["00", "00 00"])
async def test_a_batch_nobody_sampled_leaves_no_trace(flags: str) -> None:
    async with collecting() as (collector, endpoint):
        await batch_of(*flags.split(), endpoint=endpoint)

    # The first call, alone in its batch, came without a caller's decision.
    assert len(collector.named("batch")) == 1
