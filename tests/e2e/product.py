"""The product on a cluster: the images of this checkout, built and brought there once."""

import os
from functools import cache

from local.cluster.programs import cache as cached
from tests.e2e.clusters import Cluster

# Set: the images as they were built last are taken; a cluster that is kept may have them, too.
AS_BUILT = os.environ.get("E2E_IMAGES", "")


@cache
def product(cluster: Cluster) -> None:
    """Builds and loads the images; a cluster that others started has to have them already."""
    if not cluster.own or AS_BUILT == "loaded":
        return
    if AS_BUILT != "built":
        cluster.do("images")
        return
    for file in sorted((cached() / "images").glob("localhost_trilens_*.tar")):
        cluster.do("load", str(file))
