"""Remains: what the kernel does not take back when a cluster's processes end."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from local.cluster.place import Place, running

# The kubelet sets these for the whole machine.
SETTINGS: Final = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
# All pods together would get as much as one process of the machine: now as twenty.
_WEIGHTS: Final = {"cpu.shares": "20480", "cpu.weight": "2000"}
_CGROUPS: Final = Path("/sys/fs/cgroup")
_SYSCTL: Final = Path("/proc/sys")


def note() -> None:
    """Writes down how the machine was before the first cluster; another one may run already."""
    if not _noted().exists():
        found = {name: (_SYSCTL / name).read_text() for name in SETTINGS}
        _noted().parent.mkdir(parents=True, exist_ok=True)
        _noted().write_text(json.dumps(found))


def make_cgroup(place: Place) -> None:
    """The kubelet wants to find it, with every controller."""
    for hierarchy in hierarchies():
        offered, passed_on = hierarchy / "cgroup.controllers", hierarchy / "cgroup.subtree_control"
        if passed_on.exists():  # version 2: a cgroup has the controllers that its parent passes on
            for controller in offered.read_text().split():
                with suppress(OSError):
                    passed_on.write_text(f"+{controller}")
        (hierarchy / place.cgroup).mkdir(exist_ok=True)
        for name, weight in _WEIGHTS.items():
            if (hierarchy / place.cgroup / name).exists():
                (hierarchy / place.cgroup / name).write_text(weight)


def remove(place: Place) -> None:
    """Makes the machine as it was; nothing of the cluster runs any more."""
    for hierarchy in hierarchies():
        _remove_cgroup(hierarchy / place.cgroup)
    shutil.rmtree(place.folder, ignore_errors=True)
    others = [file for file in _noted().parent.glob("*") if file.is_dir()]
    if _noted().exists() and not others:
        for name, value in json.loads(_noted().read_text()).items():
            (_SYSCTL / name).write_text(value)
        _noted().unlink()


def hierarchies() -> Iterator[Path]:
    """The roots of the cgroup trees: one, or with version 1 one for each controller."""
    if (_CGROUPS / "cgroup.controllers").exists():
        yield _CGROUPS
        return
    yield from (folder for folder in _CGROUPS.iterdir() if folder.is_mount())


def _noted() -> Path:
    return running() / "machine.json"


def _remove_cgroup(cgroup: Path) -> None:
    # From the leaves: a cgroup is removed only once it has no other within.
    for folder, _, _ in os.walk(cgroup, topdown=False):
        with suppress(FileNotFoundError):
            Path(folder).rmdir()
