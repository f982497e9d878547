"""Init: the first process of a cluster's namespaces. It starts the programs, reaps what has ended,
and answers on a socket. When it ends, however, the kernel ends every other one and takes back
mounts and network: `python -m local.cluster.init NAME`, started by `unshare`.
"""

import signal
import subprocess
import sys
from typing import Final

from local.cluster import network
from local.cluster.control import Control
from local.cluster.place import Place, this_process
from local.cluster.plan import parts
from local.cluster.started import Started

_TURN_SECONDS: Final = 0.05
_IDLE_TURN_SECONDS: Final = 0.5


def main(place: Place) -> None:
    """Runs until it is killed."""
    # Before /proc is this namespace's own, where its number is 1.
    this_process().write(place)
    mount(place)
    connect()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is ended from outside, at once
    started = Started(parts(place), place.logs, place.kubeconfig)
    started.start_first()
    control = Control(place.socket, started)
    while True:
        started.reap()
        complete = started.start_rest_if_ready()
        control.answer(_IDLE_TURN_SECONDS if complete else _TURN_SECONDS)


def mount(place: Place) -> None:
    """Gives the programs folders of their own where they would write beside the machine's."""
    _run("mount", "--make-rshared", "/")  # shared among the pods, not with the machine
    _run("mount", "-t", "proc", "proc", "/proc")
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    for name in ("lib", "log"):
        inside = place.folder / "var" / name
        inside.mkdir(parents=True)
        _run("mount", "--bind", str(inside), f"/var/{name}")


def connect() -> None:
    """Makes the node's only network interface: it leads nowhere."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", "node", "type", "bridge")
    _run("ip", "address", "add", network.NODE_PREFIX, "dev", "node")
    _run("ip", "link", "set", "node", "up")
    # Programs look for the address of the default route.
    _run("ip", "route", "add", "default", "dev", "node")
    _run("sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(Place(sys.argv[1]))
