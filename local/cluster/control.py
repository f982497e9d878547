"""Control: how the cluster's first process is spoken to, one line of JSON each way."""

import json
import signal
import socket
from pathlib import Path
from typing import Any, Final

from local.cluster.place import Place
from local.cluster.started import Started

_PATIENCE_SECONDS: Final = 30.0  # longer than stopping a part takes


class Control:
    """Listens for those who are on the machine and are root."""

    def __init__(self, path: Path, started: Started) -> None:
        self._started = started
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        path.chmod(0o600)
        self._socket.listen()

    def answer(self, wait_seconds: float) -> None:
        """Answers one question, if one comes within that time."""
        self._socket.settimeout(wait_seconds)
        try:
            asking, _ = self._socket.accept()
        except TimeoutError:
            return
        with asking, asking.makefile("rw") as lines:
            asking.settimeout(1.0)
            try:
                self._do(**json.loads(lines.readline()))
                print(json.dumps(self._started.states()), file=lines, flush=True)
            except (OSError, ValueError, TypeError, KeyError) as error:
                # Whoever asks wrongly must not end the cluster.
                print(f"cannot do that: {error!r}", flush=True)

    def _do(self, verb: str, part: str = "", number: int = 0) -> None:
        if verb == "start":
            self._started.start(part)
        elif verb == "stop":
            self._started.stop(part)
        elif verb == "signal":
            self._started.signal(part, signal.Signals(number))


def ask(place: Place, verb: str, **words: Any) -> dict[str, str]:
    """What each part does, once it was done what the verb says: start, stop, signal or tell."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_PATIENCE_SECONDS)
        asking.connect(str(place.socket))
        with asking.makefile("rw") as lines:
            print(json.dumps({"verb": verb, **words}), file=lines, flush=True)
            states: dict[str, str] = json.loads(lines.readline())
            return states
