"""Batcher: one model, a bounded line of photos, batches of whatever waits when a core is free."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Generic, TypeVar

from chassis.call import Call
from chassis.compute import ComputePool, Place
from chassis.errors import ModelFailed, NotReady, QueueFull
from chassis.images import Pixels
from chassis.line import Line, Ticket
from services.device import Device
from services.meters import Meters
from services.model import Model, ModelError
from services.runtimes import DeviceFailed
from services.spans import BatchSpans, Waiting, waiting

P = TypeVar("P")

logger = logging.getLogger(__name__)

_SMOOTHING: Final = 0.2  # share of the newest batch in the running means of seconds
# With less time left than so many times what a batch usually takes, a photo is taken for nothing.
_MARGIN: Final = 1.5
_FIRST_GUESS_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How much of a model's work is taken at once."""

    max_batch: int  # photos in a batch
    max_waiting: int  # photos in the line; one more is refused
    max_running: int  # batches at once


@dataclass(frozen=True, slots=True)
class Predicted(Generic[P]):
    """A photo's prediction and where its time went."""

    prediction: P
    queue_seconds: float
    infer_seconds: float
    batch_size: int


class Batcher(Generic[P]):
    """Gives each caller the model's prediction for their own photo.

    Batching cannot be seen: a photo's result is the same as alone, and a photo that the model
    fails on fails alone.
    """

    def __init__(
        self, model: Model[P], pool: ComputePool, limits: BatchLimits, track: str = "stable"
    ) -> None:
        self.model = model
        self._pool = pool
        self._limits = limits
        self._line: Line[Waiting, Predicted[P]] = Line()
        self._running = 0
        self._newest = 0.0  # when the newest batch began; monotonic seconds
        self._seconds_per_photo = _FIRST_GUESS_SECONDS
        self._seconds_per_batch = 0.0  # until one has ended: so long the other one is a guess
        self.meters = Meters(model.package.manifest, track)
        self.device = Device(self.meters)
        self.meters.watch(lambda: len(self._line), self._backlog)
        pool.attach(self)

    async def predict(self, pixels: Pixels, call: Call) -> Predicted[P]:
        """The prediction for one photo.

        Raises QueueFull at once if the line is full, DeadlineExceeded when the call's time is up,
        ModelFailed if the model cannot predict this photo, NotReady if its device fails.
        """
        with self.meters.photo(call):
            if self.device.lost:
                raise _without_device()
            if len(self._line) >= self._limits.max_waiting:
                retry_after = timedelta(seconds=self._backlog())
                raise QueueFull(f"{len(self._line)} photos wait for the model", retry_after)
            with waiting(pixels, call, self.model.package.manifest) as photo:
                return await self._line.wait(photo, call, self._pool.wake)

    def idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return self._running == 0 and len(self._line) == 0

    def hangs(self, seconds: float) -> bool:
        """Whether as many batches as may run have all run for that long."""
        if self._running < self._limits.max_running:
            return False
        return time.monotonic() - self._newest > seconds

    def close(self) -> None:
        """Asks for no more of the pool's time."""
        self._pool.detach(self)
        self.meters.unwatch()

    def place(self) -> Place | None:
        """The place of the photo that has waited longest, unless enough batches run."""
        return self._line.place() if self._running < self._limits.max_running else None

    def take(self) -> "_Batch[P] | None":
        """A batch of what waits; photos whose callers have gone or are late are left out."""
        tickets: list[Ticket[Waiting, Predicted[P]]] = []
        # The free cores share what waits: four photos on two of them are two batches of two.
        cores = max(1, min(self._pool.free, self._limits.max_running - self._running))
        share = -(-len(self._line) // cores)
        tightest = math.inf
        while len(tickets) < min(share, self._limits.max_batch):
            # One more photo makes all of them wait longer: not beyond anybody's deadline.
            if tickets and (len(tickets) + 1) * self._seconds_per_photo > tightest:
                break
            ticket = self._line.take(_MARGIN * self._seconds_per_batch)
            if ticket is None and not tickets:
                # It will hardly be in time, but keeps nobody waiting who would.
                ticket = self._line.take_freshest()
            if ticket is None:
                break
            tickets.append(ticket)
            tightest = min(tightest, ticket.call.deadline.left())
        if not tickets:
            return None
        batch = _Batch(self, tuple(tickets))
        self._newest = time.monotonic()
        self._running += 1
        return batch

    def ended(self, seconds: float, photos: int) -> None:
        """Called by a batch when it is done."""
        self._running -= 1
        # The first one counts whole: what a slow model's line takes is known from then on.
        share = _SMOOTHING if self._seconds_per_batch else 1.0
        self._seconds_per_photo += share * (seconds / photos - self._seconds_per_photo)
        self._seconds_per_batch += share * (seconds - self._seconds_per_batch)

    def _backlog(self) -> float:
        """Seconds that what waits will take."""
        return len(self._line) * self._seconds_per_photo / self._limits.max_running


class _Batch(Generic[P]):
    """Photos that are predicted together."""

    def __init__(
        self, batcher: Batcher[P], tickets: tuple[Ticket[Waiting, Predicted[P]], ...]
    ) -> None:
        self._batcher = batcher
        self._tickets = tickets
        self._results: Sequence[P | Exception] = [_Broken("never ended")] * len(tickets)
        self._began = time.monotonic()
        self._seconds = 0.0
        self._spans = BatchSpans(batcher.model.package.manifest, tickets)

    def __repr__(self) -> str:
        return f"a batch of {len(self._tickets)} for {self._batcher.model.package.manifest.name}"

    def work(self) -> None:
        photos = [ticket.item.pixels for ticket in self._tickets]
        self._results = self._predict(photos)
        if len(photos) > 1 and all(isinstance(result, _Broken) for result in self._results):
            # One photo may have broken the whole batch: each gets its chance alone.
            self._results = [self._predict([photo])[0] for photo in photos]
        self._seconds = time.monotonic() - self._began

    def finished(self) -> None:
        self._judge_device()
        waits = [self._began - ticket.since for ticket in self._tickets]
        self._batcher.ended(self._seconds, len(self._tickets))
        self._batcher.meters.batch(waits, self._seconds)
        for ticket, result, waited in zip(self._tickets, self._results, waits, strict=True):
            if isinstance(result, DeviceFailed):
                ticket.fail(_without_device())
            elif isinstance(result, Exception):
                ticket.fail(ModelFailed("the model could not predict this photo"))
            else:
                ticket.succeed(Predicted(result, waited, self._seconds, len(self._tickets)))
        self._spans.end(self._results)

    def _judge_device(self) -> None:
        failures = [result for result in self._results if isinstance(result, DeviceFailed)]
        if failures:
            self._batcher.device.failed(failures[0])
        elif not all(isinstance(result, _Broken) for result in self._results):
            self._batcher.device.worked()

    def _predict(self, photos: Sequence[Pixels]) -> Sequence[P | Exception]:
        try:
            results = self._batcher.model.predict(photos)
            if len(results) != len(photos):
                raise ValueError(f"{len(results)} predictions for {len(photos)} photos")  # noqa: TRY301
        except DeviceFailed as error:
            logger.error("%s: %s", self, error)  # noqa: TRY400 - the device's own words say all
            return [error] * len(photos)
        except Exception as error:
            logger.exception("%s: the model failed on %d of its photos", self, len(photos))
            return [_Broken(repr(error))] * len(photos)
        for result in results:
            if isinstance(result, ModelError):
                logger.warning("%s: a photo was refused: %s", self, result)
        return results


class _Broken(Exception):
    """The model raised, or answered for a different number of photos."""


def _without_device() -> NotReady:
    return NotReady("the model's accelerator failed")
