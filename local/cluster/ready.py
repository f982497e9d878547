"""Ready: waits, from within a cluster's network, until pods can be put on it.

Run as `python -m local.cluster.ready NAME`.
"""

import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from local.cluster import gpus, names
from local.cluster.api import Api, Json, Refused
from local.cluster.control import ask
from local.cluster.place import Place

_LIMIT_SECONDS: Final = 120.0
_LOOK_EVERY_SECONDS: Final = 0.1


class NotReady(Exception):
    """The cluster does not come up; the text says what it lacks."""


def main(place: Place) -> int:
    """Adds what every cluster has, and waits for it; 0 once all is there."""
    api = Api(place.kubeconfig)
    try:
        _until(place, "the API server", lambda: api.text("/readyz") == "ok")
        _until(place, "what DNS is made of", partial(_applied, api, names.objects()))
        _until(place, "the node", lambda: _node_is_ready(api, place.name))
        _until(place, "DNS", lambda: _dns_is_ready(api))
    except NotReady as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _applied(api: Api, objects: Mapping[str, Json]) -> bool:
    for path, content in objects.items():
        api.apply(path, content)
    return True


def _node_is_ready(api: Api, name: str) -> bool:
    status = api.get(f"/api/v1/nodes/{name}")["status"]
    conditions = {item["type"]: item["status"] for item in status.get("conditions", ())}
    allocatable = status.get("allocatable", {})
    return conditions.get("Ready") == "True" and allocatable.get(gpus.RESOURCE) == str(gpus.COUNT)


def _dns_is_ready(api: Api) -> bool:
    path = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
    return bool(api.get(path)["status"].get("readyReplicas"))


def _until(place: Place, what: str, there: Callable[[], bool]) -> None:
    begun = time.monotonic()
    reason = ""
    while time.monotonic() < begun + _LIMIT_SECONDS:
        try:
            if there():
                print(f"  {what}: {time.monotonic() - begun:.1f} s", flush=True)
                return
        except (OSError, Refused) as error:
            reason = str(error)
        if ended := _ended(place):
            raise NotReady(f"{', '.join(ended)}; the logs are in {place.logs}")
        time.sleep(_LOOK_EVERY_SECONDS)
    raise NotReady(f"{what} is not there after {_LIMIT_SECONDS:.0f} s; {reason}")


def _ended(place: Place) -> list[str]:
    try:
        states = ask(place, "tell")
    except OSError:
        return ["the cluster ended"]
    return [f"{name} {state}" for name, state in states.items() if state.startswith("ended")]


if __name__ == "__main__":
    sys.exit(main(Place(sys.argv[1])))
