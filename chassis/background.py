"""Long work off the event loop that does not keep a process from leaving."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

R = TypeVar("R")


async def in_background(work: Callable[[], R], name: str) -> R:
    """The work's result or exception, from a thread of its own.

    Cancelling stops the wait, not the work. Unlike with asyncio.to_thread, neither the event loop
    nor the interpreter waits for the thread when they end: it is a daemon.
    """
    outcome: Future[R] = Future()
    outcome.set_running_or_notify_cancel()  # so that it cannot be cancelled under the thread

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for it
            outcome.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await asyncio.wrap_future(outcome)
