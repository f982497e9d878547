"""A small API server over real HTTPS: ConfigMaps that are got, watched by name, and changed.

It speaks as much of Kubernetes' protocol as the gateway uses, and goes wrong as told.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import trustme
from aiohttp import web

from tests.harness import LOOPBACK

NAMESPACE = "tests"


class FakeApiServer:
    """`token` is whose requests are answered; `delay` what every answer takes, in seconds."""

    def __init__(self, folder: Path) -> None:
        self.account = folder / "account"
        self.account.mkdir()
        self.token = ""
        self.rotate("first", accepted=True)
        self.delay = 0.0
        self.watches = 0  # ever begun
        self.asked: list[str] = []
        self._authority = trustme.CA()
        self._authority.cert_pem.write_to_path(self.account / "ca.crt")
        self._port = 0
        self._runner: web.AppRunner | None = None
        self._objects: dict[str, dict[str, Any]] = {}
        self._version = 1000
        self._watchers: dict[asyncio.Queue[bytes | None], str] = {}

    @property
    def url(self) -> str:
        return f"https://{LOOPBACK}:{self._port}"

    def rotate(self, token: str, *, accepted: bool) -> None:
        """Writes a new token into the pod's folder; the server may know it, or the old one only."""
        (self.account / "token").write_text(token)
        if accepted:
            self.token = token

    def put(self, name: str, data: Mapping[str, str]) -> dict[str, Any]:
        """Makes the ConfigMap, or changes it."""
        self._version += 1
        old = self._objects.get(name)
        uid = old["metadata"]["uid"] if old else f"uid-{self._version}"
        about = {"name": name, "uid": uid, "resourceVersion": str(self._version)}
        made = {"metadata": about, "data": dict(data)}
        self._objects[name] = made
        self._tell(name, {"type": "MODIFIED" if old else "ADDED", "object": made})
        return made

    def delete(self, name: str) -> None:
        """Deletes the ConfigMap."""
        self._version += 1
        self._tell(name, {"type": "DELETED", "object": self._objects.pop(name)})

    def send(self, line: bytes) -> None:
        """Sends a line to every watch, whatever it is."""
        for queue in self._watchers:
            queue.put_nowait(line)

    def expire(self) -> None:
        """Ends every watch as one whose version is too old."""
        status = {"kind": "Status", "code": 410, "message": "too old resource version"}
        self.send(json.dumps({"type": "ERROR", "object": status}).encode() + b"\n")

    def drop(self) -> None:
        """Cuts every watch in the middle of a line."""
        self.send(b'{"type": "MODI')
        for queue in self._watchers:
            queue.put_nowait(None)

    async def up(self) -> None:
        """Listens, on the port it had before."""
        app = web.Application()
        app.router.add_get(f"/api/v1/namespaces/{NAMESPACE}/configmaps", self._watch)
        app.router.add_get(f"/api/v1/namespaces/{NAMESPACE}/configmaps/{{name}}", self._get)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(LOOPBACK).configure_cert(context)
        site = web.TCPSite(self._runner, LOOPBACK, self._port, ssl_context=context)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def down(self) -> None:
        """Is away: refuses connections, and ends those there are."""
        if self._runner is not None:
            self.drop()
            runner, self._runner = self._runner, None
            await runner.cleanup()

    def _tell(self, name: str, event: Mapping[str, Any]) -> None:
        line = json.dumps(event).encode() + b"\n"
        for queue, watched in self._watchers.items():
            if watched == name:
                queue.put_nowait(line)

    async def _admit(self, request: web.Request) -> None:
        self.asked.append(request.path_qs)
        await asyncio.sleep(self.delay)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise web.HTTPUnauthorized(text=json.dumps({"message": "Unauthorized"}))

    async def _get(self, request: web.Request) -> web.Response:
        await self._admit(request)
        found = self._objects.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound(text=json.dumps({"message": "not found"}))
        return web.json_response(found)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        await self._admit(request)
        name = request.query["fieldSelector"].removeprefix("metadata.name=")
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        if name in self._objects:  # what a watch from no version on begins with
            event = {"type": "ADDED", "object": self._objects[name]}
            queue.put_nowait(json.dumps(event).encode() + b"\n")
        self._watchers[queue] = name
        self.watches += 1
        response = web.StreamResponse()
        try:
            with suppress(ConnectionResetError):  # a watch is ended by whoever began it, too
                await response.prepare(request)
                while (line := await queue.get()) is not None:
                    await response.write(line)
                assert request.transport is not None
                request.transport.abort()
        finally:
            del self._watchers[queue]
        return response


@asynccontextmanager
async def api_server(folder: Path) -> AsyncIterator[FakeApiServer]:
    """An API server that is up when the block begins and gone when it ends."""
    server = FakeApiServer(folder)
    await server.up()
    try:
        yield server
    finally:
        await server.down()
