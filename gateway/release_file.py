"""ReleaseFile: follows a release document that lies in a file, such as a mounted ConfigMap."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

from gateway.release import Stored

_LOOK_SECONDS: Final = 1.0


class ReleaseFile:
    """Tells what is in the file now, and again whenever that has changed."""

    def __init__(
        self, path: Path, seen: Callable[[Stored | None], None], lost: Callable[[str], None]
    ) -> None:
        self._path = path
        self._seen = seen
        self._lost = lost

    async def run(self) -> NoReturn:
        """Looks every second, until cancelled.

        By its text, not by its time: a mounted ConfigMap changes by a link that is turned.
        """
        last: object = self  # unlike any text, and unlike None
        while True:
            try:
                text = await asyncio.to_thread(self._read)
            except (OSError, ValueError) as error:
                self._lost(f"{type(error).__name__}: {error}")
                last = self
            else:
                if text != last:
                    last = text
                    self._seen(None if text is None else Stored(text))
            await asyncio.sleep(_LOOK_SECONDS)

    def _read(self) -> str | None:
        try:
            return self._path.read_text("utf-8")
        except FileNotFoundError:
            return None
