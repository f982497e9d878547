"""Api: what the test cluster itself asks of its API server, over one connection."""

import base64
import http.client
import json
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

Json = dict[str, Any]

_WHO: Final = "trilens-cluster"
_OK: Final = range(200, 300)
_TIMEOUT_SECONDS: Final = 10.0


class Refused(Exception):
    """The API server said no; the text is its own."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class Api:
    """Asks as the administrator; only from within the cluster's network."""

    def __init__(self, kubeconfig: Path) -> None:
        content = json.loads(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._tls = ssl.create_default_context(cadata=authority)
        with tempfile.NamedTemporaryFile() as pair:  # ssl reads keys from files alone
            for part in ("client-certificate-data", "client-key-data"):
                pair.write(base64.b64decode(user[part]))
            pair.flush()
            self._tls.load_cert_chain(pair.name)
        self._server = urlsplit(cluster["server"]).netloc

    def get(self, path: str) -> Json:
        """An object, or a list of them."""
        return self._ask("GET", path)

    def text(self, path: str) -> str:
        """What is no object: /readyz, /metrics, a log."""
        return self._send("GET", path)

    def apply(self, path: str, content: Mapping[str, Any]) -> Json:
        """Makes the object so, whether it is there or not."""
        query = urlencode({"fieldManager": _WHO, "force": "true"})
        return self._ask("PATCH", f"{path}?{query}", content, "application/apply-patch+yaml")

    def delete(self, path: str) -> None:
        """Takes the object away; gone already is all right."""
        try:
            self._ask("DELETE", path)
        except Refused as refused:
            if refused.status != http.HTTPStatus.NOT_FOUND:
                raise

    def watch(self, path: str, **query: str) -> Iterator[Json]:
        """Events from now on, as they come; ends when the server ends it."""
        words = urlencode({"watch": "true", **query})
        # Without a limit: nothing may happen for long.
        connection = http.client.HTTPSConnection(self._server, context=self._tls)
        try:
            connection.request("GET", f"{path}?{words}")
            answer = connection.getresponse()
            if answer.status not in _OK:
                raise Refused(answer.status, answer.read().decode())
            for line in answer:
                yield json.loads(line)
        finally:
            connection.close()

    def _ask(
        self, verb: str, path: str, content: Mapping[str, Any] | None = None, kind: str = ""
    ) -> Json:
        answer: Json = json.loads(self._send(verb, path, content, kind))
        return answer

    def _send(
        self, verb: str, path: str, content: Mapping[str, Any] | None = None, kind: str = ""
    ) -> str:
        connection = http.client.HTTPSConnection(
            self._server, context=self._tls, timeout=_TIMEOUT_SECONDS
        )
        body = None if content is None else json.dumps(content)
        try:
            connection.request(verb, path, body, {"Content-Type": kind} if kind else {})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status not in _OK:
            raise Refused(answer.status, text)
        return text
