"""Closed-loop load: so many callers, each with one call at a time, until the time is up."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import grpc

from bench.photos import BenchPhoto
from trilens import channel
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import analysis_pb2_grpc as rpc

# Says what is wrong with an answer to a photo, or ''.
Check = Callable[[BenchPhoto, pb.AnalyzeImageResponse], str]

_DEADLINE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Load:
    """What callers saw in one round."""

    images: int
    seconds: float
    latencies: tuple[float, ...]  # seconds, one per image, ascending
    wrong: tuple[str, ...]

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.seconds

    def latency(self, share: float) -> float:
        """Seconds within which that share of the answers came."""
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


async def load(
    target: str, photos: Sequence[BenchPhoto], callers: int, seconds: float, check: Check
) -> Load:
    """Sends photos in turn from every caller; begun calls are finished and counted."""
    numbers = count()
    latencies: list[float] = []
    wrong: list[str] = []
    began = time.perf_counter()

    async def caller(stub: rpc.ImageAnalysisServiceStub) -> None:
        while time.perf_counter() - began < seconds:
            photo = photos[next(numbers) % len(photos)]
            request = pb.AnalyzeImageRequest(image={"content": photo.content})
            sent = time.perf_counter()
            try:
                answer = await stub.AnalyzeImage(request, timeout=_DEADLINE_SECONDS)
            except grpc.aio.AioRpcError as error:
                wrong.append(f"{photo.name}: {error.code().name}: {error.details()}")
                continue
            latencies.append(time.perf_counter() - sent)
            if problem := check(photo, answer):
                wrong.append(f"{photo.name}: {problem}")

    async with grpc.aio.insecure_channel(target, options=channel.options()) as opened:
        stub = rpc.ImageAnalysisServiceStub(opened)
        await asyncio.gather(*(caller(stub) for _ in range(callers)))
    took = time.perf_counter() - began
    return Load(len(latencies), took, tuple(sorted(latencies)), tuple(wrong))
