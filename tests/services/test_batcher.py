"""Batching, which nobody may notice: who shares a batch, who is left out, who is harmed."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.call import Priority
from chassis.compute import ComputePool
from chassis.errors import DeadlineExceeded, ModelFailed, QueueFull
from chassis.images import Pixels
from services.batcher import Batcher, BatchLimits, Predicted
from services.detector.model import load as load_detector
from services.model import ModelError
from services.packages import open_package
from services.selftest import photo as golden_pixels
from tests.fakes import FakeModel
from tests.harness import PHOTOS, ROOT, a_call

SECONDS = 10
POISON = 13  # the photo that breaks every batch it is in
WRONG_COUNT = 14  # the photo for whose batch the model answers one too many
REFUSED = 15  # the photo that the model refuses by itself


class EchoModel(FakeModel):
    """Predicts each photo's number; three numbers are trouble."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        super().__init__(gate=gate)
        self._changed = threading.Condition()
        self._running = 0
        self.most_running = 0

    def predict(self, batch: Sequence[Pixels]) -> tuple[Any, ...]:
        with self._changed:
            self._running += 1
            self.most_running = max(self.most_running, self._running)
            self._changed.notify_all()
        try:
            super().predict(batch)
            numbers = [number_of(photo) for photo in batch]
            if POISON in numbers:
                raise RuntimeError("weights at /mnt/x are poisoned")
            extra = (0,) if WRONG_COUNT in numbers else ()
            found = (ModelError("too dark") if one == REFUSED else one for one in numbers)
            return (*found, *extra)
        finally:
            with self._changed:
                self._running -= 1

    def runs(self, batches: int) -> bool:
        """Waits until that many batches run at once."""
        with self._changed:
            return self._changed.wait_for(lambda: self._running >= batches, SECONDS)


def photo(number: int) -> Pixels:
    return Pixels(np.full((1, 1, 3), number, dtype=np.uint8))


def number_of(pixels: Pixels) -> int:
    return int(pixels.array[0, 0, 0])


def batches(model: FakeModel) -> list[list[int]]:
    return [[number_of(one) for one in batch] for batch in model.batches]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


@asynccontextmanager
async def batching(
    model: FakeModel,
    *,
    slots: int = 1,
    max_batch: int = 8,
    max_waiting: int = 64,
    max_running: int | None = None,
) -> AsyncIterator[Batcher[Any]]:
    pool = ComputePool(slots, lend_after=60)
    limits = BatchLimits(max_batch, max_waiting, max_running or slots)
    yield Batcher(model, pool, limits)
    pool.close()


async def ask(
    batcher: Batcher[Any], number: int, seconds: float = SECONDS, **call: Any
) -> "asyncio.Task[Predicted[Any]]":
    """A task that has joined the line, or is being predicted."""
    task = asyncio.create_task(batcher.predict(photo(number), a_call(seconds, **call)))
    await asyncio.sleep(0)
    return task


async def begun(model: FakeModel) -> None:
    assert await asyncio.to_thread(model.began.wait, SECONDS)


async def predictions(tasks: "Sequence[asyncio.Task[Predicted[Any]]]") -> list[Any]:
    return [one.prediction for one in await asyncio.gather(*tasks)]


async def test_a_photo_alone_is_begun_at_once_and_off_the_event_loop(
    gate: threading.Event,
) -> None:
    model = EchoModel(gate)
    async with batching(model) as batcher:
        task = await ask(batcher, 1)
        await begun(model)  # though nothing else ever comes
        assert not task.done()  # and this loop goes on turning
        gate.set()

        predicted = await task

    assert (predicted.prediction, predicted.batch_size) == (1, 1)
    assert predicted.queue_seconds < predicted.infer_seconds


async def test_what_queued_while_the_model_was_busy_becomes_one_batch(
    gate: threading.Event,
) -> None:
    model = EchoModel(gate)
    async with batching(model) as batcher:
        tasks = [await ask(batcher, number) for number in range(6)]
        gate.set()

        assert await predictions(tasks) == [0, 1, 2, 3, 4, 5]

    assert batches(model) == [[0], [1, 2, 3, 4, 5]]


async def test_free_cores_share_what_waits(gate: threading.Event) -> None:
    model = EchoModel(gate)
    async with batching(model, slots=2) as batcher:
        tasks = [await ask(batcher, number) for number in range(8)]
        assert await asyncio.to_thread(model.runs, 2)
        gate.set()
        await predictions(tasks)

    assert sorted(batches(model)[:2]) == [[0], [1]]
    assert sorted(number for batch in batches(model) for number in batch) == list(range(8))


async def test_no_batch_is_larger_than_the_limit(gate: threading.Event) -> None:
    model = EchoModel(gate)
    async with batching(model, max_batch=3) as batcher:
        tasks = [await ask(batcher, number) for number in range(8)]
        gate.set()
        await predictions(tasks)

    assert batches(model) == [[0], [1, 2, 3], [4, 5, 6], [7]]


async def test_no_more_batches_run_at_once_than_the_models_limit_says(
    gate: threading.Event,
) -> None:
    model = EchoModel(gate)
    async with batching(model, slots=4, max_running=2, max_batch=1) as batcher:
        tasks = [await ask(batcher, number) for number in range(8)]
        assert await asyncio.to_thread(model.runs, 2)
        gate.set()
        await predictions(tasks)

    assert model.most_running == 2


async def test_one_more_than_may_wait_is_refused_at_once_with_a_time_to_come_back(
    gate: threading.Event,
) -> None:
    model = EchoModel(gate)
    async with batching(model, max_waiting=2) as batcher:
        tasks = [await ask(batcher, number) for number in range(3)]  # one runs, two wait

        with pytest.raises(QueueFull) as refusal:
            await batcher.predict(photo(3), a_call())

        assert refusal.value.retry_after.total_seconds() > 0
        gate.set()
        assert await predictions(tasks) == [0, 1, 2]
        again = await ask(batcher, 4)
        assert await predictions([again]) == [4]


async def test_late_and_cancelled_photos_cost_no_inference(gate: threading.Event) -> None:
    model = EchoModel(gate)
    async with batching(model, max_batch=2) as batcher:
        first = await ask(batcher, 0)
        cancelled = await ask(batcher, 1)
        late = await ask(batcher, 2, seconds=0.01)
        patient = [await ask(batcher, number) for number in (3, 4)]
        cancelled.cancel()
        with pytest.raises(DeadlineExceeded):
            await late
        gate.set()

        assert await predictions([first, *patient]) == [0, 3, 4]

    assert batches(model) == [[0], [3, 4]]
    assert cancelled.cancelled()


async def test_a_caller_cancelled_in_the_same_moment_costs_no_inference_either(
    gate: threading.Event,
) -> None:
    model = EchoModel(gate)
    async with batching(model) as batcher:
        first = await ask(batcher, 0)
        gone = await ask(batcher, 1)
        # The batch's end and the cancelling meet in one turn of the loop.
        first.add_done_callback(lambda _: gone.cancel())
        gone.cancel()
        batch = batcher.take()
        gate.set()
        await first

    assert batch is None
    assert batches(model) == [[0]]


async def test_interactive_photos_go_before_batch_and_shadow(gate: threading.Event) -> None:
    model = EchoModel(gate)
    async with batching(model, max_batch=1) as batcher:
        tasks = [await ask(batcher, 0)]
        for number, priority in enumerate(
            (Priority.SHADOW, Priority.BATCH, Priority.INTERACTIVE, Priority.BATCH), start=1
        ):
            tasks.append(await ask(batcher, number, priority=priority))
        gate.set()
        await predictions(tasks)

    assert [number for (number,) in batches(model)] == [0, 3, 2, 4, 1]


@pytest.mark.parametrize("trouble", [POISON, WRONG_COUNT], ids=["exception", "wrong number"])
async def test_a_photo_that_breaks_its_batch_fails_alone(
    trouble: int, gate: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    model = EchoModel(gate)
    async with batching(model) as batcher:
        tasks = [await ask(batcher, number) for number in (0, 1, trouble, 2)]
        gate.set()

        ends = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(ends[2], ModelFailed)
    assert "poisoned" not in str(ends[2])
    assert [one.prediction for one in (*ends[:2], ends[3])] == [0, 1, 2]
    assert batches(model) == [[0], [1, trouble, 2], [1], [trouble], [2]]
    assert ("poisoned" if trouble == POISON else "2 predictions for 1 photos") in caplog.text


async def test_a_photo_that_the_model_refuses_costs_the_others_nothing(
    gate: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    model = EchoModel(gate)
    async with batching(model) as batcher:
        tasks = [await ask(batcher, number) for number in (0, 1, REFUSED, 2)]
        gate.set()

        ends = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(ends[2], ModelFailed)
    assert batches(model) == [[0], [1, REFUSED, 2]]
    assert "too dark" in caplog.text


async def test_a_model_call_that_never_returns_costs_only_its_own_callers(
    gate: threading.Event,
) -> None:
    hung, sound = EchoModel(gate), EchoModel()
    pool = ComputePool(slots=1, lend_after=0.02)
    limits = BatchLimits(max_batch=1, max_waiting=1, max_running=1)
    one, other = Batcher(hung, pool, limits), Batcher(sound, pool, limits)
    stuck = await ask(one, 1, seconds=0.2)
    await begun(hung)

    assert await predictions([await ask(other, 2)]) == [2]
    assert await predictions([await ask(other, 3)]) == [3]

    with pytest.raises(DeadlineExceeded):
        await stuck
    waiting = await ask(one, 4)
    with pytest.raises(QueueFull):
        await one.predict(photo(5), a_call())
    assert not one.idle()
    assert other.idle()
    waiting.cancel()
    pool.close()


async def test_a_batch_that_ends_after_its_callers_gave_up_harms_nobody(
    gate: threading.Event,
) -> None:
    model = EchoModel(gate)
    async with batching(model) as batcher:
        late = await ask(batcher, 1, seconds=0.05)
        await begun(model)
        with pytest.raises(DeadlineExceeded):
            await late
        waiting = await ask(batcher, 2)
        gate.set()

        assert await predictions([waiting]) == [2]
        assert batcher.idle()


NUMBERS = st.sampled_from([1, 2, 3, 4, 5, POISON, WRONG_COUNT, REFUSED])


@settings(max_examples=40)
@given(
    arrivals=st.lists(st.tuples(NUMBERS, st.booleans(), st.booleans()), max_size=30),
    slots=st.integers(1, 3),
    max_batch=st.integers(1, 5),
    max_waiting=st.integers(1, 12),
)
def test_whatever_comes_everybody_gets_their_own_result(
    arrivals: list[tuple[int, bool, bool]], slots: int, max_batch: int, max_waiting: int
) -> None:
    """Each arrival: its number, whether time passes before it, whether its caller leaves."""

    async def scenario() -> None:
        model = EchoModel()
        async with batching(
            model, slots=slots, max_batch=max_batch, max_waiting=max_waiting
        ) as batcher:
            tasks = []
            for number, pause, leaves in arrivals:
                if pause:
                    await asyncio.sleep(0.0005)
                task = await ask(batcher, number)
                tasks.append(task)
                if leaves:
                    task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for (number, _, leaves), end in zip(arrivals, ends, strict=True):
            if isinstance(end, asyncio.CancelledError):
                assert leaves
            elif isinstance(end, ModelFailed):
                assert number in (POISON, WRONG_COUNT, REFUSED)
            elif not isinstance(end, QueueFull):
                assert end.prediction == number
                assert 1 <= end.batch_size <= max_batch
        assert all(len(batch) <= max_batch for batch in model.batches)
        asked = Counter(number for number, _, _ in arrivals)
        predicted = Counter(number for batch in batches(model) for number in set(batch))
        assert predicted.keys() <= asked.keys()

    asyncio.run(scenario())


@pytest.fixture(scope="module")
def detector() -> Iterator[Any]:
    detector = load_detector(open_package(ROOT / "models" / "objects" / "1.1.0"))
    yield detector
    detector.close()


async def test_with_the_real_detector_a_result_in_a_batch_is_the_result_alone(
    detector: Any,
) -> None:
    names = ("cat.jpg", "coffee.jpg", "rocket.jpg", "astronaut.jpg")
    photos = [golden_pixels(PHOTOS / name, detector.max_side) for name in names]
    alike = photos[:3]  # the last one needs an input of another shape
    alone = [detector.raw(detector.prepare([one])[0])[0] for one in alike]
    together = detector.raw(detector.prepare(alike)[0])

    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-4 * 512, rtol=0)  # boxes, in pixels
        np.testing.assert_allclose(other[4:], one[4:], atol=1e-4, rtol=0)

    singly = [detector.predict([one])[0] for one in photos]
    pool = ComputePool(slots=1, lend_after=60)
    batcher = Batcher(detector, pool, BatchLimits(max_batch=4, max_waiting=8, max_running=1))
    ends = await asyncio.gather(*(batcher.predict(one, a_call(30)) for one in (photos[0], *photos)))
    pool.close()

    assert [one.batch_size for one in ends] == [1, 4, 4, 4, 4]
    for expected, end in zip(singly, ends[1:], strict=True):
        found = end.prediction.boxes
        assert [one.label for one in found[:3]] == [one.label for one in expected.boxes[:3]]
        assert [one.score for one in found[:3]] == pytest.approx(
            [one.score for one in expected.boxes[:3]], abs=1e-4
        )


async def test_a_batch_is_no_larger_than_its_most_hurried_photo_can_wait_for(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.batcher._MARGIN", 0.0)  # else others would go first
    model = EchoModel(gate)
    async with batching(model) as batcher:
        slow = await ask(batcher, 1)
        assert await asyncio.to_thread(model.runs, 1)
        await asyncio.to_thread(threading.Event().wait, 0.5)  # the model is seen to take its time
        hurried = await ask(batcher, 2, seconds=0.3)
        patient = [await ask(batcher, number) for number in range(3, 8)]
        gate.set()
        await asyncio.gather(slow, hurried, *patient)

    # At half a second a photo, 0.3 s are not enough for two.
    assert batches(model) == [[1], [2], [3, 4, 5, 6, 7]]


async def test_a_photo_that_can_hardly_be_in_time_keeps_none_waiting_that_can(
    gate: threading.Event,
) -> None:
    model = EchoModel(gate)
    async with batching(model) as batcher:
        slow = await ask(batcher, 1)
        assert await asyncio.to_thread(model.runs, 1)
        hurried = await ask(batcher, 2, seconds=2.5)
        patient = await ask(batcher, 3)
        await asyncio.to_thread(threading.Event().wait, 2)  # so long a batch is seen to take
        gate.set()
        await asyncio.gather(slow, hurried, patient, return_exceptions=True)

    assert batches(model)[:2] == [[1], [3]]
