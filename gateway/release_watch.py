"""ReleaseWatch: keeps one ConfigMap in view through Kubernetes' watch protocol."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from gateway.api_server import ApiProblem, ApiServer
from gateway.release import Stored

logger = logging.getLogger(__name__)

# The server ends a watch after so long, and a new one begins with a look at how things are: what a
# watch may have missed, for whatever reason, is seen by then.
_WATCH_SECONDS: Final = 60
_SILENCE_SECONDS: Final = _WATCH_SECONDS + 10.0
_MIN_PAUSE: Final = 0.1
_MAX_PAUSE: Final = 2.0


class ReleaseWatch:
    """Tells every state of a ConfigMap's document, from the one it has now on.

    `key` is the document's in the ConfigMap's data, `place` its NAMESPACE/NAME. `seen` gets each
    state, None for an object that is not there; `lost` gets why nobody can tell.
    """

    def __init__(
        self,
        server: ApiServer,
        place: str,
        key: str,
        seen: Callable[[Stored | None], None],
        lost: Callable[[str], None],
    ) -> None:
        namespace, _, name = place.partition("/")
        self._server = server
        self._all = f"/api/v1/namespaces/{namespace}/configmaps"
        self._one = f"{self._all}/{name}"
        self._query = {
            "watch": "1",
            # A watch of one name: what a Role with resourceNames allows.
            "fieldSelector": f"metadata.name={name}",
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        self._key = key
        self._seen = seen
        self._lost = lost

    async def run(self) -> NoReturn:
        """Watches until cancelled."""
        pause = _MIN_PAUSE
        while True:
            began = time.monotonic()
            try:
                await self._watch()
            except ApiProblem as problem:
                self._lost(str(problem))
            except Exception:
                # Whatever it is: a gateway that watches no more would miss every rollback to come.
                logger.exception("unhandled error in the watch of %s", self._one)
                self._lost("unhandled error")
            if time.monotonic() - began > _MAX_PAUSE:
                pause = _MIN_PAUSE
            # Not all gateways at once, when a server that all of them watched has gone.
            await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - no secret
            pause = min(2 * pause, _MAX_PAUSE)

    async def _watch(self) -> None:
        async with self._server.lines(self._all, self._query, _SILENCE_SECONDS) as events:
            # The watch has begun, and what happens from here on comes as an event: nothing falls
            # between it and this look.
            found = await self._server.get(self._one)
            self._tell(found)
            async for event in events:
                match event.get("type"):
                    case "ADDED" if found and _uid(event.get("object")) == _uid(found):
                        # How things were when the watch began: the look may have told of newer.
                        pass
                    case "ADDED" | "MODIFIED":
                        self._tell(event.get("object"))
                    case "DELETED":
                        self._tell(None)
                    case "BOOKMARK":
                        pass
                    case _:
                        raise ApiProblem(f"the watch ended: {_message(event.get('object'))}")

    def _tell(self, found: Mapping[str, Any] | None) -> None:
        if found is None:
            self._seen(None)
            return
        try:
            about = found["metadata"]
            stored = Stored(
                text=str((found.get("data") or {}).get(self._key, "")),
                uid=str(about["uid"]),
                resource_version=str(about["resourceVersion"]),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ApiProblem("an object that is no ConfigMap") from error
        self._seen(stored)


def _uid(found: Any) -> Any:
    about = found.get("metadata") if isinstance(found, Mapping) else None
    return about.get("uid") if isinstance(about, Mapping) else None


def _message(status: Any) -> str:
    return str(status.get("message", "")) if isinstance(status, Mapping) else "no status"
