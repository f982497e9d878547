"""A model's metrics: its line, its batches, and what became of each photo."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from chassis import metrics
from chassis.call import Call
from chassis.errors import DeadlineExceeded, QueueFull
from services.manifest import Manifest


class Meters:
    """The metrics of one hosted model; its labels are looked up once."""

    def __init__(self, manifest: Manifest, track: str) -> None:
        who = (manifest.name, manifest.version, track)
        self._who: Final = who
        self._in_flight = metrics.IN_FLIGHT.labels(*who)
        self._waited = metrics.QUEUE_SECONDS.labels(*who)
        self._took = metrics.INFER_SECONDS.labels(*who)
        self._size = metrics.BATCH_SIZE.labels(*who)
        self._device_errors = metrics.DEVICE_ERRORS.labels(*who)
        self._device_lost = metrics.DEVICE_LOST.labels(*who)
        # Every outcome from the start: a rate over a counter that is not there yet is no zero.
        self._ends = {
            outcome: metrics.PREDICTIONS.labels(*who, outcome)
            for outcome in ("ok", "failed", "shed", "late", "cancelled")
        }

    def watch(self, depth: Callable[[], float], backlog: Callable[[], float]) -> None:
        """Asks for the line's photos, and the seconds they will take, whenever metrics are read."""
        metrics.QUEUE_DEPTH.labels(*self._who).set_function(depth)
        metrics.QUEUE_BACKLOG.labels(*self._who).set_function(backlog)

    def unwatch(self) -> None:
        """The model is closed: nothing of its line is told any more."""
        metrics.QUEUE_DEPTH.remove(*self._who)
        metrics.QUEUE_BACKLOG.remove(*self._who)

    @contextmanager
    def photo(self, call: Call) -> Iterator[None]:
        """Around the prediction of a call's photo, from the line to its end."""
        self._in_flight.inc()
        outcome = "failed"
        try:
            yield
            outcome = "ok"
        except QueueFull:
            outcome = "shed"
            raise
        except DeadlineExceeded:
            outcome = "late"
            raise
        except asyncio.CancelledError:
            # gRPC cancels a call whose time is up, perhaps before the line notices.
            outcome = "late" if call.deadline.ran_out() else "cancelled"
            raise
        finally:
            self._in_flight.dec()
            self._ends[outcome].inc()

    def device_error(self) -> None:
        """The accelerator failed on a batch."""
        self._device_errors.inc()

    def device_lost(self) -> None:
        """It is not counted on any more."""
        self._device_lost.set(1)

    def batch(self, waited: Sequence[float], took: float) -> None:
        """A batch has ended: how long each of its photos waited, and how long it took, seconds."""
        for seconds in waited:
            self._waited.observe(seconds)
        self._took.observe(took)
        self._size.observe(len(waited))
