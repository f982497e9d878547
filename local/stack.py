"""Stack: the processes of one run, started in order, watched, and stopped in order."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from local import plan
from local.plan import LOOPBACK, Part
from local.running import Ports, Running

T = TypeVar("T")


class StackFailed(Exception):
    """The stack does not do its work; the text says which part of it, and why."""


class Stack:
    """Leaving the block stops every process; `clean` then says whether each ended as told.

    `folder` gets the logs and what else the processes write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: list[Running] = []
        self._failure: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.clean = True

    async def start(self, processes: int, port: int, cores: int) -> None:
        """Starts one process or four; the gateway, started last, listens on that port."""
        if processes == 1:
            await self._start(plan.alone(port, cores))
            return
        services = [await self._start(part) for part in plan.services(cores)]
        ports = {service.name: (await self.within(service.ports())).grpc for service in services}
        await self._start(plan.gateway(port, cores, ports))

    async def ready(self) -> Ports:
        """Waits until every process asks for work; where the gateway listens."""
        from local.readiness import wait_until_ready  # late: see local.__main__

        for part in self._parts:
            ports = await self.within(part.ports())
            await self.within(wait_until_ready(f"{LOOPBACK}:{ports.health}"))
            part.set_ready()
        return ports

    async def within(self, waiting: Coroutine[Any, Any, T]) -> T:
        """The result, unless a process fails before it is there: then raises StackFailed."""
        task = asyncio.create_task(waiting)
        try:
            await asyncio.wait((task, self._failure), return_when=asyncio.FIRST_COMPLETED)
            if self._failure.done():
                raise StackFailed(self._failure.result())
            return task.result()
        finally:
            task.cancel()
            await asyncio.wait((task,))  # a stream that it holds is closed before its server stops

    async def failed(self) -> None:
        """Waits for a process to fail, and raises StackFailed."""
        raise StackFailed(await self._failure)

    def kill(self) -> None:
        """Ends every process at once, whatever it does."""
        for part in self._parts:
            part.kill()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The one that asks the others, started last, finishes before they do.
        gateway, services = self._parts[-1:], self._parts[:-1]
        for parts in (gateway, services):
            ended = await asyncio.gather(*(part.stop() for part in parts))
            self.clean = self.clean and all(ended)

    async def _start(self, part: Part) -> Running:
        running = Running(part, self._folder, self._fail)
        self._parts.append(running)
        await running.start()
        return running

    def _fail(self, reason: str) -> None:
        if not self._failure.done():
            self._failure.set_result(reason)
