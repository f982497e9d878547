"""Packages on a web server of this machine, for pods that download them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.cluster import network
from tests.e2e.clusters import Cluster

PORT = 8766
MADE = Path("build/tiny/objects")


@contextmanager
def served(cluster: Cluster, folder: Path, *versions: str) -> Iterator[None]:
    """Archives of those tiny packages, made in the folder and had at their addresses."""
    for version in versions:
        archive = f"--file={folder / version}.tar.gz"
        cluster.run("tar", "--create", "--gzip", archive, f"--directory={MADE / version}", ".")
    words = ("--bind", network.NODE, "--directory", str(folder), str(PORT))
    with cluster.spawn(sys.executable, "-m", "http.server", *words):
        yield


def address(version: str) -> str:
    """Where a version's archive is served."""
    return f"http://{network.NODE}:{PORT}/{version}.tar.gz"
