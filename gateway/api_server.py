"""ApiServer: Kubernetes' own API over plain HTTPS, as the pod's service account."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

_CONNECT_SECONDS: Final = 3.0
_ANSWER_SECONDS: Final = 5.0
_MAX_BYTES: Final = 2 << 20  # a ConfigMap holds at most 1 MiB
_MAX_TOLD: Final = 300  # characters of what went wrong

# A server that vanishes without a word is noticed within some seconds, not within hours.
_KEEPALIVE: Final = {"TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3}


class ApiProblem(Exception):
    """Why the API server gave no answer that can be used, in a line."""


class ApiServer:
    """The API server at a URL; `account` is the folder with a pod's token and the server's CA.

    Both files are read anew for every connection: the kubelet replaces the token within the hour.
    """

    def __init__(self, url: str, account: Path) -> None:
        self._url = url.rstrip("/")
        self._account = account
        # One connection a request: there are few, and each meets the credentials of its moment.
        connector = aiohttp.TCPConnector(force_close=True, socket_factory=_socket)
        self._session = aiohttp.ClientSession(connector=connector, read_bufsize=_MAX_BYTES // 2)

    async def get(self, path: str) -> dict[str, Any] | None:
        """The object at the path; None if there is none. Raises ApiProblem."""
        async with self._asked(path, {}, _ANSWER_SECONDS) as response:
            if response.status == 404:
                return None
            return _json(await _body(response))

    @asynccontextmanager
    async def lines(
        self, path: str, query: dict[str, str], silence: float
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The stream of objects that the path answers, begun when the block is.

        It ends when the server ends it; nothing for `silence` seconds is a problem. Raises
        ApiProblem.
        """
        async with self._asked(path, query, silence) as response:
            if response.status == 404:
                raise ApiProblem(f"{path}: not found")
            yield _objects(response.content)

    async def close(self) -> None:
        """Ends what is still open."""
        await self._session.close()

    @asynccontextmanager
    async def _asked(
        self, path: str, query: dict[str, str], silence: float
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        timeout = aiohttp.ClientTimeout(sock_connect=_CONNECT_SECONDS, sock_read=silence)
        try:
            token, trusted = await asyncio.to_thread(self._credentials)
            async with self._session.get(
                self._url + path,
                params=query,
                headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
                ssl=trusted,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                if response.status not in (200, 404):
                    raise ApiProblem(await _refusal(response))
                yield response
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            raise ApiProblem(_told(error)) from error

    def _credentials(self) -> tuple[str, ssl.SSLContext]:
        token = (self._account / "token").read_text().strip()
        return token, ssl.create_default_context(cafile=str(self._account / "ca.crt"))


async def _body(response: aiohttp.ClientResponse) -> bytes:
    body = await response.content.read(_MAX_BYTES)
    while not response.content.at_eof():
        more = await response.content.read(_MAX_BYTES)
        body += more
        if len(body) > _MAX_BYTES:
            raise ApiProblem(f"an answer of more than {_MAX_BYTES >> 20} MiB")
    return body


async def _objects(stream: aiohttp.StreamReader) -> AsyncIterator[dict[str, Any]]:
    while line := await stream.readline():
        yield _json(line)


def _json(text: bytes) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ApiProblem("an answer that is no object")
    return found


def _told(error: Exception) -> str:
    """The error in a line that is the same whenever it happens again."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.os_error}"[:_MAX_TOLD]
    return f"{type(error).__name__}: {error}"[:_MAX_TOLD]


async def _refusal(response: aiohttp.ClientResponse) -> str:
    told = (await response.content.read(_MAX_BYTES)).decode(errors="replace")
    with suppress(ValueError, KeyError, TypeError):
        told = str(json.loads(told)["message"])
    return f"{response.status} {told.strip()}"[:_MAX_TOLD]


def _socket(address: Any) -> socket.socket:
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # Linux names them all, others some
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    made.setblocking(False)  # noqa: FBT003 - positional only
    return made
