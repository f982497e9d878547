"""Policies: enforces network policies on this node, as soon as a pod has an address.

Run as `python -m local.cluster.policies NAME`.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from local.cluster import rules
from local.cluster.api import Api, Refused
from local.cluster.place import Place
from local.cluster.selection import Pod, World

Json = dict[str, Any]

# Known as soon as a pod is wired: seconds before the API server is told, and its programs start.
_WIRED: Final = Path("/var/lib/cni/results")
_LOOK_EVERY_SECONDS: Final = 0.05
_AGAIN_SECONDS: Final = 0.5


class Mirror:
    """Every object of one kind, kept up to date by a thread."""

    def __init__(self, api: Api, path: str) -> None:
        self._api = api
        self._path = path
        self._objects: dict[str, Json] = {}
        self._complete = threading.Event()
        threading.Thread(target=self._follow, name=path, daemon=True).start()

    def objects(self) -> tuple[Json, ...]:
        """All of them, once they are known."""
        self._complete.wait()
        return tuple(self._objects.copy().values())

    def _follow(self) -> None:
        while True:
            with suppress(OSError, Refused, ValueError):
                self._list_and_watch()
            time.sleep(_AGAIN_SECONDS)

    def _list_and_watch(self) -> None:
        listed = self._api.get(self._path)
        self._objects = {item["metadata"]["uid"]: item for item in listed["items"]}
        self._complete.set()
        version = listed["metadata"]["resourceVersion"]
        for event in self._api.watch(self._path, resourceVersion=version):
            changed = event["object"]
            if event["type"] == "ERROR":
                return
            if event["type"] == "DELETED":
                self._objects.pop(changed["metadata"]["uid"], None)
            else:
                self._objects[changed["metadata"]["uid"]] = changed


def main(place: Place) -> None:
    """Runs until it is ended."""
    api = Api(place.kubeconfig)
    pods = Mirror(api, "/api/v1/pods")
    namespaces = Mirror(api, "/api/v1/namespaces")
    policies = Mirror(api, "/apis/networking.k8s.io/v1/networkpolicies")
    _restore(rules.SETUP)
    in_force = ""
    while True:
        wired = addresses(_WIRED)
        known = (Pod.read(pod, wired) for pod in pods.objects())
        labels = {
            item["metadata"]["name"]: item["metadata"].get("labels", {})
            for item in namespaces.objects()
        }
        world = World(tuple(pod for pod in known if pod is not None), labels)
        stale = rules.chains_of(in_force)
        wanted = rules.render(world, policies.objects(), stale)
        if wanted != in_force:
            _restore(wanted)
            in_force = wanted
        time.sleep(_LOOK_EVERY_SECONDS)


def addresses(wired: Path) -> Mapping[str, str]:
    """The address of each pod, by its uid, from what the network plugin wrote down."""
    found = {}
    for file in wired.glob("*-eth0"):
        with suppress(FileNotFoundError, ValueError, KeyError):  # gone, or being written
            written = json.loads(file.read_text())
            uid = dict(written["cniArgs"])["K8S_POD_UID"]
            found[uid] = written["result"]["ips"][0]["address"].partition("/")[0]
    return found


def _restore(text: str) -> None:
    command = ("iptables-restore", "--noflush", "--wait")
    subprocess.run(command, input=text, text=True, check=True)


if __name__ == "__main__":
    main(Place(sys.argv[1]))
