"""Open-loop load: calls at a constant rate, whatever became of those before; every outcome is kept.

`python -m tests.e2e.load TARGET FILE --rate 100` writes one line of JSON per call to FILE as it
ends, until it is told to stop (SIGTERM), `--seconds` are over or `--calls` were sent. It waits for
calls under way.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

import grpc

from trilens.channel import options as published_options
from trilens.v1 import analysis_pb2 as pb
from trilens.v1 import image_pb2

_METHOD: Final = "/trilens.v1.ImageAnalysisService/AnalyzeImage"
_SIDE: Final = 32
# Tiny models find something in it, so that versions of them may differ in what they answer.
_RED: Final = bytes((230, 40, 20))
# Long: what is counted is whether calls fail, and the machine may be busy with other things.
_DEADLINE_SECONDS: Final = 20.0
_TURN_SECONDS: Final = 0.005
_SETTLING_SECONDS: Final = 0.1
_SETTLED: Final = 10  # answers in full, one after the other
# What a client without any policy has: gRPC itself sends again only what no server has seen.
_PLAIN: Final = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})


class Sender:
    """Sends calls over channels in turn, and writes down how each one ended."""

    def __init__(
        self, channels: Sequence[grpc.aio.Channel], options: argparse.Namespace, file: IO[str]
    ) -> None:
        self._ask: list[Any] = [
            channel.unary_unary(_METHOD, response_deserializer=pb.AnalyzeImageResponse.FromString)
            for channel in channels
        ]
        photos = _photos(options.photos)
        self._messages = [
            _message(options.features, f"caller-{number}", photos[number % len(photos)])
            for number in range(options.callers)
        ]
        self._metadata = (("trilens-lane", options.lane),) if options.lane else None
        self._file = file
        self._at_most = options.at_most
        self._under_way: set[asyncio.Task[None]] = set()

    async def settle(self) -> None:
        """Waits until every channel leads to answers in full, one after the other.

        Helm is done when each pod is ready for itself; gateways find the models' pods after that,
        each for itself, and a channel leads to all of them.
        """
        for ask in self._ask:
            in_a_row = 0
            while in_a_row < _SETTLED:
                in_a_row = in_a_row + 1 if _full(await self._outcome(ask, 0)) else 0
                await asyncio.sleep(_SETTLING_SECONDS)

    def full(self) -> bool:
        """Whether as many calls are under way as may be."""
        return 0 < self._at_most <= len(self._under_way)

    def send(self, number: int) -> None:
        """Begins the call of that number."""
        task = asyncio.create_task(self._call(number))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def finish(self) -> None:
        """Waits for the calls that were begun."""
        await asyncio.gather(*self._under_way)

    async def _call(self, number: int) -> None:
        caller = number % len(self._messages)
        ask = self._ask[number % len(self._ask)]
        began, clock = time.time(), time.perf_counter()
        outcome = await self._outcome(ask, caller)
        line = {"at": began, "took": time.perf_counter() - clock, "caller": caller, **outcome}
        self._file.write(json.dumps(line) + "\n")

    async def _outcome(self, ask: Any, caller: int) -> dict[str, Any]:
        message = self._messages[caller]
        try:
            return _outcome(await ask(message, timeout=_DEADLINE_SECONDS, metadata=self._metadata))
        except grpc.aio.AioRpcError as error:
            return {"code": error.code().name, "why": (error.details() or "")[:300]}


def _outcome(answer: pb.AnalyzeImageResponse) -> dict[str, Any]:
    said: dict[str, Any] = {
        "code": "OK",
        "lane": answer.lane,
        "versions": {
            name: outcome.model.version
            for name, outcome in sorted(answer.outcomes.items())
            if outcome.state == pb.STATE_OK
        },
    }
    why = [
        f"{name}: {pb.State.Name(outcome.state)}: {outcome.status.message}"
        for name, outcome in sorted(answer.outcomes.items())
        if outcome.state != pb.STATE_OK
    ]
    return said | ({"partial": "; ".join(why)} if why else {})


def _full(outcome: dict[str, Any]) -> bool:
    return outcome["code"] == "OK" and "partial" not in outcome


def _photos(folder: Path | None) -> list[image_pb2.Image]:
    if folder is None:
        pixels = _RED * (_SIDE * _SIDE)
        buffer = image_pb2.PixelBuffer(width=_SIDE, height=_SIDE, rgb=pixels)
        return [image_pb2.Image(pixels=buffer)]
    return [image_pb2.Image(content=file.read_bytes()) for file in sorted(folder.iterdir())]


def _message(features: Sequence[str], affinity_key: str, photo: image_pb2.Image) -> bytes:
    request = pb.AnalyzeImageRequest(
        image=photo,
        features=[pb.FeatureRequest(feature=name) for name in features],
        affinity_key=affinity_key,
    )
    return request.SerializeToString()


async def run(options: argparse.Namespace) -> None:
    """Sends until told to stop."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    channels = [_channel(options, number) for number in range(options.channels)]
    # Line by line, so that what has happened so far can be read at any time.
    with options.file.open("w", buffering=1) as file:
        sender = Sender(channels, options, file)
        if options.settle:
            await sender.settle()
        for number in _due(options):
            if number is None:
                await asyncio.sleep(_TURN_SECONDS)
            else:
                while sender.full():  # noqa: ASYNC110 - a turn of the loop is soon enough
                    await asyncio.sleep(_TURN_SECONDS)
                sender.send(number)
            if stopped.is_set():
                break
        await sender.finish()
    for channel in channels:
        await channel.close()


def _due(options: argparse.Namespace) -> Iterator[int | None]:
    """The number of each call once its time has come; None while there is nothing to do."""
    began = time.perf_counter()
    number = 0
    while not options.calls or number < options.calls:
        passed = time.perf_counter() - began
        if options.seconds and passed > options.seconds:
            return
        if number < passed * options.rate:
            yield number
            number += 1
        else:
            yield None


def _channel(options: argparse.Namespace, number: int) -> grpc.aio.Channel:
    settings = dict(published_options())
    if not options.retries:
        settings["grpc.service_config"] = _PLAIN
    settings["grpc.use_local_subchannel_pool"] = 1  # else equal channels share connections
    return grpc.aio.insecure_channel(options.target, options=tuple(settings.items()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.load", description=__doc__)
    parser.add_argument("target", help="the gateway, as gRPC names it")
    parser.add_argument("file", type=Path, help="gets a line of JSON per call")
    parser.add_argument("--rate", type=float, default=100.0, help="calls per second")
    parser.add_argument("--seconds", type=float, default=0.0, help="0: until told to stop")
    parser.add_argument("--calls", type=int, default=0, help="0: until told to stop")
    parser.add_argument(
        "--at-most", type=int, default=0, help="calls under way, where what counts is not the rate"
    )
    parser.add_argument("--channels", type=int, default=4, help="each with connections of its own")
    parser.add_argument("--callers", type=int, default=500, help="different affinity keys")
    parser.add_argument("--photos", type=Path, help="a folder, a photo for each caller in turn")
    parser.add_argument("--features", nargs="*", default=(), help="by default the deployment's")
    parser.add_argument("--lane", default="", help="asks for that lane")
    parser.add_argument("--settle", action="store_true", help="begin when all is answered in full")
    parser.add_argument("--retries", action="store_true", help="the published ones; else none")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(run(_options())))
