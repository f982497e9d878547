"""The product on a cluster: its images and the tiny packages, brought there once."""

from functools import cache

from tests.e2e.clusters import Cluster


@cache
def images(cluster: Cluster) -> None:
    """The images of this checkout; a cluster that others started has to have them already."""
    if cluster.own:
        cluster.do("product")


@cache
def tiny_packages(cluster: Cluster) -> None:
    """Images of packages that predict at once, one for each version."""
    if cluster.own:
        cluster.do("product", "--tiny")
