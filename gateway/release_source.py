"""ReleaseSource: follows a release where it is kept, and hands on what counts as that changes."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from gateway.release import OVERLAY, RELEASE, Documents, Release, Stored
from gateway.release_document import OVERLAY_KEY, RELEASE_KEY
from gateway.release_file import ReleaseFile
from gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from gateway.api_server import ApiServer

logger = logging.getLogger(__name__)

# A gateway that begins waits for its release at most so long: without one, all calls are stable.
_FIRST_SECONDS: Final = 3.0


class ReleaseSource:
    """Follows the ConfigMaps, the file, or neither, as the settings say.

    With both, the file counts until the API server has told of the release for the first time: a
    mounted ConfigMap lags, but it is there when the API server is not.
    """

    def __init__(self, settings: GatewaySettings, take: Callable[[Release], None]) -> None:
        self._settings = settings
        self._take = take
        self._documents = Documents()
        self._taken = Release()
        self._server: ApiServer | None = None
        self._following: dict[str, asyncio.Task[Any]] = {}
        self._told: dict[str, asyncio.Event] = {}

    async def start(self) -> None:
        """Begins to follow; returns once the release is known, or without it after some seconds."""
        settings = self._settings
        if settings.release_file is not None:
            file = ReleaseFile(settings.release_file, self._file_says, self._lost(RELEASE))
            self._follow("file", file.run())
        if settings.release_configmap:
            self._watch(RELEASE, settings.release_configmap, RELEASE_KEY, self._release_is)
            if settings.release_overlay:
                namespace, _, _ = settings.release_configmap.partition("/")
                place = f"{namespace}/{settings.release_overlay}"
                self._watch(OVERLAY, place, OVERLAY_KEY, self._overlay_is)
        elif settings.release_file is not None:
            self._told["file"] = asyncio.Event()
        try:
            async with asyncio.timeout(_FIRST_SECONDS):
                for told in self._told.values():
                    await told.wait()
        except TimeoutError:
            logger.warning("begins without having read its release anew")

    async def stop(self) -> None:
        """Follows no more."""
        for task in self._following.values():
            task.cancel()
        if self._following:
            await asyncio.wait(self._following.values())
        if self._server is not None:
            await self._server.close()

    def _watch(
        self, name: str, place: str, key: str, seen: Callable[[Stored | None], None]
    ) -> None:
        # Here, since a gateway that watches nothing need not load an HTTP client.
        from gateway.api_server import ApiServer
        from gateway.release_watch import ReleaseWatch

        if self._server is None:
            settings = self._settings
            self._server = ApiServer(settings.kubernetes_api, settings.kubernetes_account)
        self._told[name] = asyncio.Event()
        self._follow(name, ReleaseWatch(self._server, place, key, seen, self._lost(name)).run())

    def _follow(self, name: str, following: Coroutine[Any, Any, Any]) -> None:
        self._following[name] = asyncio.create_task(following, name=f"release: {name}")

    def _lost(self, name: str) -> Callable[[str], None]:
        return lambda why: self._documents.unreachable(name, why)

    def _file_says(self, stored: Stored | None) -> None:
        self._documents.read_release(stored)
        self._known("file")

    def _release_is(self, stored: Stored | None) -> None:
        if file := self._following.pop("file", None):
            file.cancel()
        self._documents.read_release(stored)
        self._known(RELEASE)

    def _overlay_is(self, stored: Stored | None) -> None:
        self._documents.read_overlay(stored)
        self._known(OVERLAY)

    def _known(self, name: str) -> None:
        release = self._documents.release()
        if release != self._taken:
            self._taken = release
            self._take(release)
        if name in self._told:
            self._told[name].set()
