"""A package as it is served, in this process: photos in, answers out, without a gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias
from uuid import uuid4

from chassis.call import Call, Deadline
from chassis.compute import ComputePool
from chassis.decoder import Decoder, decoder
from chassis.errors import InvalidImage
from chassis.images import Pixels
from gateway.tasks import TASKS, Result
from services.app import ModelApp
from services.hosting import ModelSettings
from services.manifest import Task
from services.packages import InvalidPackage, open_package
from trilens.v1 import image_pb2

App: TypeAlias = ModelApp[Any, Any, Any]

_PATIENCE: Final = 600.0  # seconds for one photo: nobody waits for it
_AT_ONCE: Final = 8  # photos; as many as fill a batch
_LEND_AFTER: Final = 60.0  # seconds


class Served:
    """A hosted model that is asked for its answers to photos."""

    def __init__(self, app: App, task: str, decoding: Decoder) -> None:
        self._app = app
        self._task = TASKS[task]
        self._decoding = decoding

    async def answers(self, photos: Iterable[bytes]) -> list[Result | None]:
        """The answer to each photo by the package's defaults; None where it is no photo."""
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(content: bytes) -> Result | None:
            async with places:
                pixels = await self.pixels(content)
                return None if pixels is None else await self.answer(pixels)

        return list(await asyncio.gather(*map(one, photos)))

    async def pixels(self, content: bytes) -> Pixels | None:
        """The photo as the model is given it; None if it is none."""
        image = image_pb2.Image(content=content)
        try:
            return await self._decoding.pixels(image, self._app.model().max_side, _call())
        except InvalidImage:
            return None

    async def answer(self, pixels: Pixels) -> Result:
        """What a caller without wishes of its own is answered."""
        result: Result = (await self._app.answer(pixels, self._task.no_options, _call())).result
        return result


@asynccontextmanager
async def serving(package: Path, slots: int = 1) -> AsyncIterator[Served]:
    """Loads a package as its service does; raises InvalidPackage if it would not be served."""
    task = open_package(package).manifest.task
    pool = ComputePool(slots, _LEND_AFTER)
    app = _app(task, ModelSettings(model=str(package)), pool)
    try:
        if not await app.start():
            raise InvalidPackage(f"{package}: does not become ready; the log says why")
        yield Served(app, str(task), decoder(pool))
    finally:
        await app.stop()


def _app(task: Task, settings: ModelSettings, pool: ComputePool) -> App:
    # Imported where one is hosted, as the gateway does.
    match task:
        case Task.CLASSIFICATION:
            from services.classifier.__main__ import classifier

            return classifier(settings, pool)
        case Task.CAPTION:
            from services.captioner.__main__ import captioner

            return captioner(settings, pool)
        case Task.DETECTION:
            from services.detector.__main__ import detector

            return detector(settings, pool)


def _call() -> Call:
    return Call(Deadline.after(_PATIENCE), uuid4().hex)
