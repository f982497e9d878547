"""The lock of a release's rollouts: a Lease, so that two at once refuse each other."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from rollout.api import Api, Conflict, Json, Missing, Refused, Unreachable
from rollout.sign import Sign, is_gone, remove

_LASTS: Final = 20  # seconds after which a holder that is not heard of has lost it
_RENEWED: Final = 4.0  # every so many seconds
_CLOCKS: Final = 15  # seconds by which two machines' clocks may differ
_SIGN: Final = "trilens.dev/sign"  # annotation: the holder's sign of life on its own machine
_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


class Locked(Exception):
    """Somebody else is at it; the text says who, and since when."""


class Lost(Exception):
    """The lock went to somebody else, or could not be renewed in time."""


class Lease:
    """The lock of one release; `mine()` is to be asked before anything is changed."""

    def __init__(self, api: Api, name: str, owner: Json, sign: Sign) -> None:
        self._api = api
        self._name = name
        self._owner = owner
        self._sign = sign
        self._all = f"/apis/coordination.k8s.io/v1/namespaces/{api.namespace}/leases"
        self._path = f"{self._all}/{name}"
        self._me = f"{_user()}@{socket.gethostname()}, process {os.getpid()}"
        self._until = 0.0
        self._ended = threading.Event()

    @contextmanager
    def held(self, patience: float = 0) -> Iterator[None]:
        """Held while the block runs; raises Locked unless it is, or gets, free within patience.

        Patience is for a holder that was killed: one that is heard of meanwhile is not waited for.
        """
        with self._sign.given():
            self._acquire(time.monotonic() + patience)
            renewing = threading.Thread(target=self._renew, name="lease", daemon=True)
            renewing.start()
            try:
                yield
            finally:
                self._ended.set()
                renewing.join()
                with suppress(Refused, Unreachable, Lost):
                    self._write(self.mine())

    def mine(self) -> Json:
        """The Lease; raises Lost if it is somebody else's, and Unreachable if that is not known."""
        found = self._api.get(self._path)
        if not found or _holder(found) != self._me:
            raise Lost(f"the lock was taken over: {_words(found)}")
        if time.monotonic() > self._until:
            # Late, on a busy machine; nobody has taken it, and who does now meets a conflict.
            found = self._extend(found)
        return found

    def holder(self) -> str:
        """Who holds it and since when; empty if it is free."""
        found = self._api.get(self._path)
        return _words(found) if found and _holder(found) and not _expired(found) else ""

    def _acquire(self, limit: float) -> None:
        first, heard = time.monotonic(), None
        while True:
            found = self._api.get(self._path)
            # Heard of by nobody's clock but this one, for as long as it lasts.
            silent = time.monotonic() - first > _LASTS
            gone = found is not None and is_gone(_sign(found))
            if found is None or not _holder(found) or _expired(found) or silent or gone:
                with suppress(Conflict):
                    self._take(found)
                    if found and gone:
                        remove(_sign(found))
                    return
                continue
            renewed = found["spec"]["renewTime"]
            if heard not in (None, renewed) or time.monotonic() > limit:
                raise Locked(_words(found))
            heard = renewed
            time.sleep(0.5)

    def _take(self, found: Json | None) -> None:
        now = _now()
        spec = {
            "holderIdentity": self._me,
            "leaseDurationSeconds": _LASTS,
            "acquireTime": now,
            "renewTime": now,
        }
        signed = {"annotations": {_SIGN: self._sign.name}}
        self._until = time.monotonic() + _LASTS
        if found:
            metadata = {**found["metadata"], **signed}
            self._api.replace(self._path, {**found, "metadata": metadata, "spec": spec})
            return
        metadata = {"name": self._name, "ownerReferences": [self._owner], **signed}
        content = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        self._api.create(self._all, {**content, "metadata": metadata, "spec": spec})

    def _renew(self) -> None:
        while not self._ended.wait(_RENEWED):
            try:
                self._extend(self.mine())
            except Lost:
                return
            except (Refused, Unreachable):
                continue

    def _extend(self, found: Json) -> Json:
        begun = time.monotonic()
        found["spec"]["renewTime"] = _now()
        written = self._api.replace(self._path, found)
        self._until = begun + _LASTS
        return written

    def _write(self, found: Json) -> None:
        found["spec"] = {"holderIdentity": "", "leaseDurationSeconds": 1}
        with suppress(Missing):
            self._api.replace(self._path, found)


def _holder(found: Json) -> str:
    return str(found["spec"].get("holderIdentity") or "")


def _expired(found: Json) -> bool:
    return datetime.now(UTC) > _at(found, "renewTime") + timedelta(seconds=_LASTS + _CLOCKS)


def _sign(found: Json) -> str:
    return str((found["metadata"].get("annotations") or {}).get(_SIGN, ""))


def _words(found: Json | None) -> str:
    if not found or not _holder(found):
        return "nobody holds it"
    since = _at(found, "acquireTime").strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{_holder(found)}, since {since}"


def _at(found: Json, name: str) -> datetime:
    return datetime.strptime(found["spec"][name], _FORMAT).replace(tzinfo=UTC)


def _now() -> str:
    return datetime.now(UTC).strftime(_FORMAT)


def _user() -> str:
    return os.environ.get("GITHUB_ACTOR") or os.environ.get("USER") or str(os.getuid())
