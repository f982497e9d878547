"""A sign of life: how a machine's next rollout knows that the one before was killed there."""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PREFIX: Final = "trilens-sign-"
_NAME: Final = re.compile(rf"{_PREFIX}\w+")


class Sign:
    """A file that is locked while it is given: by this process, or one that was handed `files`.

    The kernel lets go of the lock (flock) when the last of them ends, however it ends.
    """

    def __init__(self) -> None:
        self.name = ""
        self.files: tuple[int, ...] = ()  # what a program that counts as this process inherits

    @contextmanager
    def given(self) -> Iterator[None]:
        """While the block runs."""
        number, path = tempfile.mkstemp(prefix=_PREFIX)
        fcntl.flock(number, fcntl.LOCK_EX)
        self.name, self.files = Path(path).name, (number,)
        try:
            yield
        finally:
            self.files = ()
            Path(path).unlink(missing_ok=True)
            os.close(number)


def is_gone(name: str) -> bool:
    """Whether whoever gave this sign is known to have ended.

    False also where that cannot be known: it was given on another machine, or by another user.
    """
    try:
        number = os.open(_path(name), os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(number)
    return True


def remove(name: str) -> None:
    """Removes the sign of somebody who is gone."""
    _path(name).unlink(missing_ok=True)


def _path(name: str) -> Path:
    # Names come from the cluster: none leads out of the folder for temporary files.
    return Path(tempfile.gettempdir(), name if _NAME.fullmatch(name) else f"{_PREFIX}none")
