"""Closed-loop load: so many callers, each with one call at a time, until the time is up."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import grpc

from bench.photos import BenchPhoto
from trilens import channel
from trilens.v1 import analysis_pb2 as pb

# Says what is wrong with an answer to a photo, or ''.
Check = Callable[[BenchPhoto, pb.AnalyzeImageResponse], str]

_DEADLINE_SECONDS = 60.0
_METHOD = "/trilens.v1.ImageAnalysisService/AnalyzeImage"


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
    # Serialised once: what is measured is the servers, on cores that the callers share.
    messages = [
        pb.AnalyzeImageRequest(image={"content": photo.content}).SerializeToString()
        for photo in photos
    ]
    numbers = count()
    latencies: list[float] = []
    wrong: list[str] = []
    began = time.perf_counter()

    async def caller(opened: grpc.aio.Channel) -> None:
        analyze: Any = opened.unary_unary(
            _METHOD, response_deserializer=pb.AnalyzeImageResponse.FromString
        )
        while time.perf_counter() - began < seconds:
            number = next(numbers) % len(photos)
            photo, sent = photos[number], time.perf_counter()
            try:
                answer = await analyze(messages[number], timeout=_DEADLINE_SECONDS)
            except grpc.aio.AioRpcError as error:
                wrong.append(f"{photo.name}: {error.code().name}: {error.details()}")
                continue
            latencies.append(time.perf_counter() - sent)
            if problem := check(photo, answer):
                wrong.append(f"{photo.name}: {problem}")

    async with grpc.aio.insecure_channel(target, options=channel.options()) as opened:
        await asyncio.gather(*(caller(opened) for _ in range(callers)))
    took = time.perf_counter() - began
    return Load(len(latencies), took, tuple(sorted(latencies)), tuple(wrong))
