"""Names that a test decides about: what the system's resolver says of those that end in .test."""

import socket
from collections.abc import Iterable
from typing import Any

import pytest


class Names:
    """Answers getaddrinfo() for names ending in .test, in place of the system's resolver."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._answers: dict[str, tuple[str, ...] | int] = {}
        self._real = socket.getaddrinfo
        self.asked = 0
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def say(self, name: str, addresses: Iterable[str]) -> None:
        """From now on the name has those addresses; with none of them, there is no such name."""
        self._answers[name] = tuple(addresses)

    def fail(self, name: str) -> None:
        """From now on no name server answers for it."""
        self._answers[name] = socket.EAI_AGAIN

    def _look_up(self, host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if not str(host).endswith(".test"):
            return self._real(host, port, *rest, **more)
        self.asked += 1
        answer = self._answers.get(host, ())
        if isinstance(answer, int):
            raise socket.gaierror(answer, "Temporary failure in name resolution")
        if not answer:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            found
            for address in answer
            for found in self._real(address, port, *rest, **more, flags=socket.AI_NUMERICHOST)
        ]


def free_port() -> int:
    """A port that is free on every loopback address, as far as one can know."""
    with socket.socket() as asked:
        asked.bind(("", 0))
        return int(asked.getsockname()[1])
