"""Needs: what the machine has to have, each told with what to do about it, all at once."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from local.cluster.programs import Group, cache

# A command, or a file, and the Debian package that brings it.
_PACKAGES: Final = {
    "runc": "runc",
    "iptables-restore": "iptables",
    "conntrack": "conntrack",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "openssl": "openssl",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
}
# Where a cluster's programs see folders of their own: see local.cluster.init.
_HIDDEN: Final = ("/run", "/var/lib", "/var/log")
_FOR_IMAGES: Final = {"buildah": "buildah", "debootstrap": "debootstrap"}


class Unmet(Exception):
    """The machine lacks something; the text says what, and what to do."""


def check_machine() -> None:
    """Raises Unmet where no cluster can be started."""
    problems = list(_problems())
    if problems:
        raise Unmet("a cluster cannot be started here:\n" + "\n".join(f"  {p}" for p in problems))


def check_images() -> None:
    """Raises Unmet where no image can be built."""
    packages = _lacking(_FOR_IMAGES)
    problems = [_install(packages)] if packages else []
    problems.extend(_hidden(cache()))
    if problems:
        raise Unmet("images cannot be built here:\n" + "\n".join(f"  {p}" for p in problems))


def check_go(groups: Iterable[Group]) -> None:
    """Raises Unmet unless the Go here can build all of these."""
    go = shutil.which("go")
    if go is None:
        raise Unmet("the cluster's programs are built with Go, which is not on PATH: " + _GO)
    for group in sorted(groups, key=lambda group: group.name):
        told = subprocess.run(
            (go, "version"), cwd=group.folder, capture_output=True, text=True, check=False
        )
        if told.returncode != 0:
            raise Unmet(f"{told.stderr.strip()}\n{_GO}")


_GO: Final = "https://go.dev/dl has the newest"


def _problems() -> Iterator[str]:
    if sys.platform != "linux":
        yield f"it needs Linux; this is {sys.platform}"
        return
    if os.geteuid() != 0:
        yield "it needs root, for namespaces, mounts and cgroups: sudo make cluster"
    elif unshare := shutil.which("unshare"):
        yield from _locked_in(unshare)
    packages = _lacking(_PACKAGES)
    if packages:
        yield _install(packages)
    for folder in (cache(), Path(sys.prefix)):
        yield from _hidden(folder)
    if not Path("/sys/fs/cgroup").is_mount():
        yield "/sys/fs/cgroup is not mounted"


def _locked_in(unshare: str) -> Iterator[str]:
    """Why root may not make namespaces: that of most containers."""
    mounting = ("mount", "-t", "tmpfs", "none", "/mnt")
    tried = subprocess.run(
        (unshare, "--mount", "--net", "--pid", "--fork", *mounting),
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode != 0:
        yield f"root may not make namespaces and mounts here: {tried.stderr.strip()}"


def _hidden(folder: Path) -> Iterator[str]:
    if any(folder.resolve().is_relative_to(hidden) for hidden in _HIDDEN):
        yield f"{folder} must not lie in {', '.join(_HIDDEN)}: a cluster has its own there"


def _lacking(needed: dict[str, str]) -> list[str]:
    return [package for name, package in needed.items() if shutil.which(name) is None]


def _install(packages: list[str]) -> str:
    return f"apt-get install --no-install-recommends {' '.join(sorted(packages))}"
