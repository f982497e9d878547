"""Work in the background, and leaving while it goes on."""

import asyncio
import subprocess
import sys
import threading

import pytest

from chassis.background import in_background
from tests.harness import ROOT


async def test_the_result_comes_back_from_another_thread() -> None:
    there = await in_background(threading.get_ident, "load")

    assert there != threading.get_ident()


async def test_an_exception_comes_back_too() -> None:
    def broken() -> None:
        raise ValueError("no such file")

    with pytest.raises(ValueError, match="no such file"):
        await in_background(broken, "load")


async def test_cancelling_stops_the_wait_and_not_the_work() -> None:
    gate, done = threading.Event(), threading.Event()

    def work() -> None:
        gate.wait()
        done.set()

    task = asyncio.create_task(in_background(work, "load"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    gate.set()
    assert await asyncio.to_thread(done.wait, 5)


def test_work_that_never_ends_keeps_no_process_from_leaving() -> None:
    program = (
        "import asyncio, threading\n"
        "from chassis.background import in_background\n"
        "async def main():\n"
        "    asyncio.create_task(in_background(threading.Event().wait, 'load'))\n"
        "    await asyncio.sleep(0)\n"
        "asyncio.run(main())\n"
    )

    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=20, check=False)

    assert ended.returncode == 0
