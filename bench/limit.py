"""The limit: how many photos a second these cores could answer if nothing but the work were done.

Processes that loop over the photos, no server, no queue, no message; imports nothing from services
or gateway.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.photos import BenchPhoto
from chassis.memory import keep_memory


@dataclass(frozen=True, slots=True)
class Shape:
    """How the cores are used."""

    processes: int
    loops: int  # Python threads in a process, each a loop of its own
    threads: int  # compute threads of each network
    spread: int = 0  # Python threads over which a loop spreads its photo's models; 0: none

    def __str__(self) -> str:
        shape = f"{self.processes} processes x {self.loops} loops x {self.threads} threads"
        return f"{shape}, models on {self.spread} threads" if self.spread else shape


@dataclass(frozen=True, slots=True)
class Answer:
    """What the pipelines say about a photo."""

    objects: tuple[tuple[str, float, float], ...]  # label, score, threshold
    caption: str
    faces: tuple[dict[str, float], ...]


class Limit:
    """Worker processes of one shape; they wait, without work, until told to run."""

    def __init__(self, shape: Shape, pipes: Sequence[Connection]) -> None:
        self.shape = shape
        self._pipes = pipes

    def run(self, photos: Sequence[BenchPhoto], seconds: float) -> tuple[int, float, float]:
        """Images answered, seconds taken and CPU seconds used."""
        began = time.perf_counter()
        for pipe in self._pipes:
            pipe.send((tuple(photos), seconds))
        told = [pipe.recv() for pipe in self._pipes]
        took = time.perf_counter() - began
        return sum(images for images, _ in told), took, sum(cpu for _, cpu in told)


@contextmanager
def limit(shape: Shape, packages: Path) -> Iterator[Limit]:
    """The workers within the block."""
    spawn = multiprocessing.get_context("spawn")
    pipes, workers = [], []
    for number in range(shape.processes):
        ours, theirs = spawn.Pipe()
        worker = spawn.Process(target=_work, args=(theirs, packages, shape, number), daemon=True)
        worker.start()
        pipes.append(ours)
        workers.append(worker)
    try:
        for pipe in pipes:
            pipe.recv()
        yield Limit(shape, pipes)
    finally:
        for pipe in pipes:
            pipe.send(None)
        for worker in workers:
            worker.join(10)


def answers(photos: Sequence[BenchPhoto], packages: Path) -> dict[str, Answer]:
    """What each photo's answer must be, by the photo's name."""
    pipelines = _Pipelines(packages, threads=1)
    return {photo.name: pipelines.answer(photo.content) for photo in photos}


class _Pipelines:
    def __init__(self, packages: Path, threads: int) -> None:
        # Imported in the worker only: the bench's own process stays small.
        from bench.plain import Attributes, Captions, Objects

        self._attributes = Attributes(_newest(packages / "attributes"), threads)
        self._captions = Captions(_newest(packages / "captions"), threads)
        self._objects = Objects(_newest(packages / "objects"), threads)
        self._side = max(self._attributes.side, self._captions.side, self._objects.side)

    def answer(self, content: bytes) -> Answer:
        from bench.plain import decode, shrink

        photo = decode(content, self._side)
        return Answer(
            objects=tuple(self._objects(shrink(photo, self._objects.side))),
            caption=self._captions(shrink(photo, self._captions.side)),
            faces=tuple(self._attributes(shrink(photo, self._attributes.side))),
        )

    def answer_spread(self, pool: ThreadPoolExecutor, content: bytes) -> None:
        """The same work, the models at once, the slowest first; the answer is not kept."""
        from bench.plain import decode, shrink

        photo = decode(content, self._side)
        models = (self._objects, self._captions, self._attributes)
        jobs = [pool.submit(model, shrink(photo, model.side)) for model in models]
        for job in jobs:
            job.result()


def _newest(folder: Path) -> Path:
    return max(folder.iterdir(), key=lambda path: tuple(map(int, path.name.split("."))))


def _work(pipe: Connection, packages: Path, shape: Shape, number: int) -> None:
    keep_memory()  # as servers do: the shares are not to tell of the allocator
    pipelines = _Pipelines(packages, shape.threads)
    work: Callable[[bytes], object] = pipelines.answer
    if shape.spread:
        work = partial(pipelines.answer_spread, ThreadPoolExecutor(shape.spread))
    pipe.send("ready")
    while (order := pipe.recv()) is not None:
        photos, seconds = order
        cpu, until = time.process_time(), time.perf_counter() + seconds

        def loop(first: int, photos: Any = photos, until: float = until) -> int:
            images = first
            while time.perf_counter() < until:
                work(photos[images % len(photos)].content)
                images += 1
            return images - first

        firsts = [number * shape.loops + place for place in range(shape.loops)]
        with ThreadPoolExecutor(shape.loops) as pool:
            images = sum(pool.map(loop, firsts))
        pipe.send((images, time.process_time() - cpu))
