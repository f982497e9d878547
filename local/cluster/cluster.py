"""Cluster: up, down, and what is between."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from local.cluster import certificates, config, gpus, images, network, remains
from local.cluster.place import Living, Place
from local.cluster.plan import search_path

ROOT: Final = Path(__file__).resolve().parents[2]

_LOOK_EVERY_SECONDS: Final = 0.05
_START_SECONDS: Final = 30.0


class Failed(Exception):
    """The cluster does not do what it should; the text says why."""


def up(place: Place) -> None:
    """Starts it and waits until it takes pods; one that runs already stays as it is."""
    living = Living.read(place)
    complete = place.folder / "complete"
    if living is None or not complete.exists():
        down(place)  # what is left of one that was killed, or did not come up
        living = _start(place)
        images.load_own(place, living)
    ready = (sys.executable, "-m", "local.cluster.ready", place.name)
    if subprocess.run(living.within(*ready), cwd=ROOT, check=False).returncode != 0:
        raise Failed("the cluster did not come up; make cluster-down ends what there is of it")
    complete.touch()


def down(place: Place) -> None:
    """Ends it and leaves nothing behind, whatever state it is in."""
    living = Living.read(place)
    if living is not None:
        _end(living)
    remains.remove(place)


def run(place: Place, command: Sequence[str]) -> NoReturn:
    """Becomes that command, or a shell, within the cluster's network and with its tools."""
    inside = within(place, command or (os.environ.get("SHELL", "sh"),))
    os.execvp(inside[0], inside)  # noqa: S606 - no shell is the point


def within(place: Place, command: Sequence[str]) -> tuple[str, ...]:
    """The words that run a command there."""
    living = Living.read(place)
    if living is None:
        raise Failed(f"there is no cluster {place.name}: make cluster")
    tools = (f"KUBECONFIG={place.kubeconfig}", f"PATH={search_path()}")
    return living.within("env", *tools, *command)


def _start(place: Place) -> Living:
    place.logs.mkdir(parents=True)
    remains.note()
    remains.make_cgroup(place)
    certificates.make(place.folder / "keys", (network.NODE, network.API, "127.0.0.1"))
    config.write(place.folder, place.cgroup)
    gpus.make(place.gpus)
    namespaces = ("unshare", "--mount", "--net", "--pid", "--fork")
    log = place.logs / "init.log"
    with log.open("wb") as written:
        first = subprocess.Popen(
            (*namespaces, sys.executable, "-m", "local.cluster.init", place.name),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            start_new_session=True,  # stays when this process ends
        )
    limit = time.monotonic() + _START_SECONDS
    while (living := Living.read(place)) is None or not _takes_images(living):
        if first.poll() is not None or time.monotonic() > limit:
            raise Failed(f"the cluster did not start, see {place.logs}:\n{log.read_text()[-2000:]}")
        time.sleep(_LOOK_EVERY_SECONDS)
    return living


def _takes_images(living: Living) -> bool:
    # As its first process sees it: /run is the cluster's own.
    return Path(f"/proc/{living.pid}/root{config.CONTAINERD_SOCKET}").is_socket()


def _end(living: Living) -> None:
    """Ends the first process; with it the kernel ends every other one in its namespace."""
    try:
        opened = os.pidfd_open(living.pid)
    except ProcessLookupError:
        return
    try:
        # Held open it cannot go to another process, so now is the time to look who it is.
        if Living.of(living.pid) == living:
            signal.pidfd_send_signal(opened, signal.SIGKILL)
            select.select([opened], [], [])
    finally:
        os.close(opened)
