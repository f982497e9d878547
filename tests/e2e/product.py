"""The product on a cluster: its images and the tiny packages, brought there once."""

from functools import cache

from tests.e2e.clusters import Cluster


@cache
def product(cluster: Cluster) -> None:
    """Builds and loads the images; a cluster that others started has to have them already."""
    if cluster.own:
        cluster.do("images")
