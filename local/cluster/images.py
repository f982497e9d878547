"""Images: into the cluster's containerd, without a registry."""

import subprocess
from pathlib import Path

from local.cluster import names, oci, programs
from local.cluster.place import Living, Place


class NotLoaded(Exception):
    """An image could not be loaded; the text says why."""


def load(living: Living, file: Path) -> None:
    """Loads the images of an OCI archive, under the names that it has them under."""
    ctr = (str(programs.path("ctr")), "--namespace", "k8s.io")
    # --local: this side unpacks, in the cluster's mount namespace.
    command = (*ctr, "images", "import", "--local", "--digests", str(file))
    inside = ("nsenter", f"--target={living.pid}", "--mount", "--net", "--")
    done = subprocess.run((*inside, *command), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotLoaded(f"{file.name}: {done.stderr.strip()}")


def load_own(place: Place, living: Living) -> None:
    """Loads what the cluster itself needs."""
    for program, name in (("pause", oci.PAUSE), ("coredns", names.IMAGE)):
        file = place.folder / f"{program}.tar"
        oci.archive(programs.path(program), name, file)
        load(living, file)
        file.unlink()
