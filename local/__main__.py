"""`python -m local`: the whole system on this machine, until Ctrl-C."""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from local.plan import LOOPBACK, PROCESSES
from local.stack import Stack, StackFailed


@dataclass(frozen=True, slots=True)
class Options:
    """What the person at the keyboard asked for."""

    processes: int
    port: int
    photo: Path


def main() -> int:
    """Starts, answers one photo, and waits; 0 once told to stop, 1 if anything went wrong."""
    begun = time.monotonic()
    options = _options()
    folder = Path(tempfile.mkdtemp(prefix="trilens-"))
    code = asyncio.run(_serve(options, folder, begun))
    if code == 0:
        shutil.rmtree(folder)
    else:
        print(f"the logs are in {folder}", file=sys.stderr)
    return code


async def _serve(options: Options, folder: Path, begun: float) -> int:
    stack = Stack(folder)
    _stop_when_told(stack)
    try:
        async with stack:
            await _run(stack, options, folder, begun)
    except StackFailed as failure:
        print(f"stopped: {failure}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        print("stopped" if stack.clean else "stopped, but not every process ended as told")
    return 0 if stack.clean else 1


async def _run(stack: Stack, options: Options, folder: Path, begun: float) -> None:
    many = "one process" if options.processes == 1 else f"{options.processes} processes"
    print(f"Trilens starts as {many} ...", flush=True)
    await stack.start(options.processes, options.port, _cores())
    # Imported while the processes do the same: gRPC and the terminal would hold up their start.
    from local.answer import commands, show_answer

    ports = await stack.ready()
    server = f"{LOOPBACK}:{ports.grpc}"
    pages = f"{LOOPBACK}:{ports.health} (health), http://{LOOPBACK}:{ports.metrics}/metrics"
    print(f"ready on {server} (gRPC), {pages}\n", flush=True)
    await stack.within(show_answer(server, options.photo))
    print(f"Answered {time.monotonic() - begun:.1f} s after the start.\n")
    print(commands(server, options.photo))
    print(f"Ctrl-C stops it. Logs are in {folder} until then.", flush=True)
    await stack.failed()


def _stop_when_told(stack: Stack) -> None:
    loop = asyncio.get_running_loop()
    serving = asyncio.current_task()
    assert serving is not None  # noqa: S101 - a coroutine runs in a task

    def told() -> None:
        if serving.cancelling():
            # Whoever asks a second time does not want to wait for what is in flight.
            stack.kill()
        else:
            serving.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, told)


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--processes", type=int, choices=PROCESSES, default=1)
    parser.add_argument("--port", type=int, default=0, help="the gateway's; 0: a free one")
    parser.add_argument("--photo", type=Path, default=Path("tests/photos/two_people.jpg"))
    chosen = parser.parse_args()
    if not chosen.photo.is_file():
        parser.error(f"there is no photo {chosen.photo}")
    return Options(chosen.processes, chosen.port, chosen.photo)


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        return os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
