"""The API server, as JSON in and out: the only module that knows the `kubernetes` package."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

Json = dict[str, Any]

# Of one request: long enough for a busy API server, short enough to try again.
_SECONDS: Final = 20.0
_TRIES: Final = 3
_PAUSE: Final = 1.0  # seconds between two tries
_MANAGER: Final = "trilens-rollout"
_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Problem(Exception):
    """Something with a request; the text says with which, `said` only what."""

    def __init__(self, request: str, said: object) -> None:
        super().__init__(f"{request}: {said}")
        self.said = str(said)


class Unreachable(Problem):
    """The API server did not answer, or not as it should: worth another try."""


class Refused(Problem):
    """The API server said no."""


class Conflict(Refused):
    """Somebody else wrote the object since it was read, or created it first."""


class Missing(Refused):
    """There is no such object."""


class NoCluster(Exception):
    """There is no usable kubeconfig."""


class Api:
    """Objects by their paths, with the rights of one kubeconfig context or service account."""

    def __init__(self, api: ApiClient, namespace: str) -> None:
        self.namespace = namespace
        self._api = api
        self._host = str(api.configuration.host).rstrip("/")

    @classmethod
    def connect(cls, context: str | None, namespace: str | None) -> "Api":
        """By kubeconfig, or inside a pod by its service account; raises NoCluster."""
        try:
            api = config.new_client_from_config(context=context)
            active = config.list_kube_config_contexts()
            found = _context(active, context).get("namespace", "default")
        except config.ConfigException as no_file:
            if context:
                raise NoCluster(str(no_file)) from no_file
            api, found = _in_pod(no_file)
        return cls(api, namespace or found)

    def get(self, path: str, **query: str) -> Json | None:
        """The object or list; None if there is none."""
        try:
            return self._json("GET", path, query=query)
        except Missing:
            return None

    def items(self, path: str, selector: str) -> list[Json]:
        """The objects of a list with these labels."""
        return list((self.get(path, labelSelector=selector) or {}).get("items") or ())

    def names(self, path: str, selector: str) -> list[Json]:
        """The metadata of a list's objects and nothing else: what is in them is not sent."""
        accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        found = self._json("GET", path, query={"labelSelector": selector}, accept=accept)
        return [item["metadata"] for item in found.get("items") or ()]

    def text(self, path: str) -> str:
        """A page, such as one of a pod through the proxy."""
        return self._ask_once("GET", path, accept="*/*").decode(errors="replace")

    def create(self, path: str, content: Json) -> Json:
        """Creates the object; raises Conflict if there is one."""
        return self._json("POST", path, content, query={"fieldManager": _MANAGER})

    def replace(self, path: str, content: Json) -> Json:
        """Writes the object; raises Conflict unless it still has the content's resourceVersion."""
        return self._json("PUT", path, content, query={"fieldManager": _MANAGER})

    def apply(self, path: str, content: Json, manager: str) -> Json:
        """Applies the object in that manager's name, whoever had its fields."""
        kind = "application/apply-patch+yaml"
        query = {"fieldManager": manager, "force": "true"}
        return self._json("PATCH", path, content, query=query, kind=kind)

    def delete(self, path: str) -> None:
        """Deletes the object, if it is there."""
        with suppress(Missing):
            self._ask("DELETE", path)

    def _json(self, method: str, path: str, content: Json | None = None, **how: Any) -> Json:
        read: Json = json.loads(self._ask(method, path, content, **how))
        return read

    def _ask(self, method: str, path: str, content: Json | None = None, **how: Any) -> bytes:
        """Looking does no harm twice; whether something was written has to be looked up."""
        for _ in range(_TRIES - 1 if method == "GET" else 0):
            with suppress(Unreachable):
                return self._ask_once(method, path, content, **how)
            time.sleep(_PAUSE)
        return self._ask_once(method, path, content, **how)

    def _ask_once(
        self,
        method: str,
        path: str,
        content: Json | None = None,
        *,
        query: Mapping[str, str] | None = None,
        kind: str = "application/json",
        accept: str = "application/json",
    ) -> bytes:
        url = f"{self._host}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": accept, "Content-Type": kind}
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
        try:
            answer = self._api.call_api(method, url, headers, content, _request_timeout=_SECONDS)
            body = bytes(answer.read())
        except (ApiException, urllib3.exceptions.HTTPError, OSError) as away:
            raise Unreachable(f"{method} {path}", away) from away
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise _problem(answer.status)(f"{method} {path}", _message(body))
        return body


def _problem(status: int) -> type[Problem]:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return Unreachable
    kinds: dict[int, type[Refused]] = {404: Missing, 409: Conflict}
    return kinds.get(status, Refused)


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace")[:200]


def _context(active: Any, wanted: str | None) -> Mapping[str, str]:
    contexts, current = active
    chosen = next((one for one in contexts if one["name"] == wanted), current)
    found: Mapping[str, str] = chosen["context"]
    return found


def _in_pod(no_file: Exception) -> tuple[ApiClient, str]:
    try:
        configuration = client.Configuration()
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        raise NoCluster(f"no cluster: {no_file}") from no_file
    return ApiClient(configuration), _NAMESPACE.read_text().strip()
