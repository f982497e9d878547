"""The product on a cluster: the images of this checkout, brought there once."""

import os
from functools import cache

from local.cluster.images import archive
from local.cluster.product import REGISTRY, SERVICES, TAG, TINY
from tests.e2e.clusters import Cluster

# A cluster that is kept has them from the run before.
LOADED = os.environ.get("E2E_IMAGES") == "loaded"
_IMAGES = (f"gateway:{TAG}", *(f"{name}:{tag}" for name in SERVICES for tag in (TAG, TINY)))


@cache
def product(cluster: Cluster) -> None:
    """Loads the images as `make images` built them; a cluster that others started has its own."""
    if not cluster.own or LOADED:
        return
    for image in _IMAGES:
        cluster.do("load", str(archive(f"{REGISTRY}/{image}")))
