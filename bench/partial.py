"""`python -m bench.partial`: what callers get while one service is frozen, then killed.

Starts the gateway and a process for each model, stops one of them in its tracks, and counts how
calls with a short deadline end: all should be OK and hold the other two features. 1 if fewer than
999 of 1000 do.
"""

import argparse
import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Final

import grpc
import psutil

from bench.photos import FREE_PHOTOS, BenchPhoto, photos_in
from bench.servers import four_processes
from chassis.settings import cores
from trilens import channel
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc

# In the order in which their processes are started.
FEATURES: Final = ("attributes", "captions", "objects")
_ENOUGH: Final = 0.999
_WARM_SECONDS: Final = 60.0


def main() -> int:
    """Freezes, kills, counts, prints."""
    options = _options()
    victim = FEATURES.index(options.feature)
    photos = photos_in(FREE_PHOTOS)
    shares = []
    with four_processes(cores()) as servers:
        calls = Calls(servers.target, photos, options.feature, options.deadline)
        asyncio.run(calls.until_full())
        for state, change in (("frozen", psutil.Process.suspend), ("killed", psutil.Process.kill)):
            change(servers.processes[victim])
            ends = asyncio.run(calls.many(options.calls, options.callers))
            shares.append(ends["OK, the others answered"] / ends.total())
            # Other work on the machine makes calls late, too: the load tells whether to believe it.
            load = os.getloadavg()[0]
            print(f"{options.feature} {state}: {ends.total()} calls, {load:.1f} load on average")
            for end, number in ends.most_common():
                print(f"  {number:6d}  {number / ends.total():8.3%}  {end}")
    return 0 if min(shares) >= _ENOUGH else 1


class Calls:
    """Calls to the gateway, and how they end."""

    def __init__(
        self, target: str, photos: Sequence[BenchPhoto], victim: str, deadline: float
    ) -> None:
        self._target = target
        self._photos = photos
        self._others = [feature for feature in FEATURES if feature != victim]
        self._deadline = deadline

    async def until_full(self) -> None:
        """Returns once every feature answers; TimeoutError after a minute."""
        async with self._open() as opened, asyncio.timeout(_WARM_SECONDS):
            stub = rpc.ImageAnalysisServiceStub(opened)
            request = pb.AnalyzeImageRequest(image={"content": self._photos[0].content})
            while True:
                answer = await stub.AnalyzeImage(request, timeout=30, wait_for_ready=True)
                if answer.completeness == pb.COMPLETENESS_FULL:
                    return
                await asyncio.sleep(1)

    async def many(self, calls: int, callers: int) -> Counter[str]:
        """How so many calls ended, made by so many callers with one call at a time each."""
        ends: Counter[str] = Counter()
        numbers = count()

        async def caller(stub: rpc.ImageAnalysisServiceStub) -> None:
            while (number := next(numbers)) < calls:
                ends[await self._end(stub, self._photos[number % len(self._photos)])] += 1

        async with self._open() as opened:
            stub = rpc.ImageAnalysisServiceStub(opened)
            await asyncio.gather(*(caller(stub) for _ in range(callers)))
        return ends

    def _open(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self._target, options=channel.options())

    async def _end(self, stub: rpc.ImageAnalysisServiceStub, photo: BenchPhoto) -> str:
        request = pb.AnalyzeImageRequest(image={"content": photo.content})
        try:
            answer = await stub.AnalyzeImage(request, timeout=self._deadline)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
        states = {name: answer.outcomes[name].state for name in self._others}
        missing = [
            f"{name} {pb.State.Name(state).removeprefix('STATE_')}"
            for name, state in states.items()
            if state != pb.STATE_OK
        ]
        return f"OK, but {', '.join(missing)}" if missing else "OK, the others answered"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.partial", description=__doc__)
    parser.add_argument("--feature", choices=FEATURES, default="captions", help="whose service")
    parser.add_argument("--calls", type=int, default=1000, help="for each of frozen and killed")
    parser.add_argument("--callers", type=int, default=4, help="calls at a time")
    parser.add_argument("--deadline", type=float, default=1.0, help="seconds")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
