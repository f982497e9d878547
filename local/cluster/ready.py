"""Ready: waits, from within a cluster's network, until pods can be put on it.

Run as `python -m local.cluster.ready NAME`.
"""

import sys
import time
from collections.abc import Callable
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
        for path, content in names.objects().items():
            _until(place, path, partial(_applied, api, path, content))
        _until(place, "the node", lambda: _node_is_ready(api, place.name))
        _until(place, "DNS", lambda: _dns_is_ready(api))
    except NotReady as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _applied(api: Api, path: str, content: Json) -> bool:
    return bool(api.apply(path, content))


def _node_is_ready(api: Api, name: str) -> bool:
    status = api.get(f"/api/v1/nodes/{name}")["status"]
    conditions = {item["type"]: item["status"] for item in status.get("conditions", ())}
    allocatable = status.get("allocatable", {})
    return conditions.get("Ready") == "True" and gpus.RESOURCE in allocatable


def _dns_is_ready(api: Api) -> bool:
    path = "/apis/apps/v1/namespaces/kube-system/deployments/coredns"
    return bool(api.get(path)["status"].get("readyReplicas"))


def _until(place: Place, what: str, there: Callable[[], bool]) -> None:
    limit = time.monotonic() + _LIMIT_SECONDS
    reason = ""
    while time.monotonic() < limit:
        try:
            if there():
                return
        except (OSError, Refused) as error:
            reason = str(error)
        ended = [f"{name} {state}" for name, state in ask(place, "tell").items() if "end" in state]
        if ended:
            raise NotReady(f"{', '.join(ended)}; the logs are in {place.logs}")
        time.sleep(_LOOK_EVERY_SECONDS)
    raise NotReady(f"{what} is not there after {_LIMIT_SECONDS:.0f} s; {reason}")


if __name__ == "__main__":
    sys.exit(main(Place(sys.argv[1])))
