"""Alone: one at a time, whoever starts it."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from local.cluster.programs import cache


@contextmanager
def alone(what: str) -> Iterator[None]:
    """Waits for others on this machine who do the same."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{what}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting: {what} goes on elsewhere", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
