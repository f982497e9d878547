"""Where a rollout's state is kept: a ConfigMap of the release, or a file."""

import json
from pathlib import Path
from typing import Final, Protocol

from rollout.api import Api, Conflict, Json
from rollout.state import State, read

_KEY: Final = "state.json"


class Store(Protocol):
    """Keeps one state; whoever writes has to have read the newest one."""

    def read(self) -> State | None:
        """The state that is kept."""
        ...

    def write(self, state: State) -> None:
        """Keeps another; raises Conflict if somebody else wrote since it was read here."""
        ...


class ConfigMapStore:
    """In a ConfigMap, which goes when the release's document goes."""

    def __init__(self, api: Api, name: str, owner: Json) -> None:
        self._api = api
        self._name = name
        self._owner = owner
        self._all = f"/api/v1/namespaces/{api.namespace}/configmaps"
        self._version = ""

    def read(self) -> State | None:
        """The state that is kept."""
        found = self._api.get(f"{self._all}/{self._name}")
        self._version = found["metadata"]["resourceVersion"] if found else ""
        return read(found["data"][_KEY]) if found else None

    def write(self, state: State) -> None:
        """Keeps another; raises Conflict if somebody else wrote since it was read here."""
        metadata: Json = {"name": self._name, "ownerReferences": [self._owner]}
        content = {"apiVersion": "v1", "kind": "ConfigMap", "data": {_KEY: state.text()}}
        if self._version:
            metadata["resourceVersion"] = self._version
            path = f"{self._all}/{self._name}"
            written = self._api.replace(path, {**content, "metadata": metadata})
        else:
            written = self._api.create(self._all, {**content, "metadata": metadata})
        self._version = written["metadata"]["resourceVersion"]


class FileStore:
    """In a file, for who may not write to the cluster."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = ""

    def read(self) -> State | None:
        """The state that is kept."""
        self._read = self._text()
        return read(self._read) if self._read else None

    def write(self, state: State) -> None:
        """Keeps another, whole or not at all."""
        if self._text() != self._read:
            raise Conflict(str(self._path), "somebody else wrote it")
        text = json.dumps(json.loads(state.text()), indent=2) + "\n"
        new = self._path.with_name(self._path.name + ".new")
        new.write_text(text)
        new.replace(self._path)
        self._read = text

    def _text(self) -> str:
        return self._path.read_text() if self._path.exists() else ""
