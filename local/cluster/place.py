"""Place: where a cluster keeps its files, and whether it lives."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from local.cluster.programs import cache

_START_TIME: Final = 19  # the field of /proc/PID/stat, counted after the name


@dataclass(frozen=True, slots=True)
class Place:
    """One cluster's folder; everything that it writes is in there."""

    name: str

    @property
    def folder(self) -> Path:
        """All of it."""
        return running() / self.name

    @property
    def kubeconfig(self) -> Path:
        """What kubectl and helm are told."""
        return self.folder / "kubeconfig"

    @property
    def logs(self) -> Path:
        """One file for each program."""
        return self.folder / "logs"

    @property
    def socket(self) -> Path:
        """Where the first of its processes listens."""
        return self.folder / "control"

    @property
    def gpus(self) -> Path:
        """A folder for each simulated GPU."""
        return self.folder / "gpus"

    @property
    def cgroup(self) -> str:
        """The cgroup that its pods run in."""
        return f"trilens-{self.name}"


@dataclass(frozen=True, slots=True)
class Living:
    """The first of a cluster's processes: all others end with it.

    A number alone may have gone to another process since; with the time of its start it cannot.
    """

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "Living | None":
        """The process of that number, or None if there is none."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] == "Z" else cls(pid, int(fields[_START_TIME]))

    @classmethod
    def read(cls, place: Place) -> "Living | None":
        """The cluster's, if it lives."""
        try:
            written = cls(**json.loads((place.folder / "living.json").read_text()))
        except FileNotFoundError:
            return None
        return written if cls.of(written.pid) == written else None

    def within(self, *command: str, mounts: bool = False) -> tuple[str, ...]:
        """The command, run in the cluster's network and, if asked for, where its mounts are."""
        namespaces = ("--net", "--mount") if mounts else ("--net",)
        return ("nsenter", f"--target={self.pid}", *namespaces, "--", *command)

    def write(self, place: Place) -> None:
        """Leaves word for those who ask later."""
        unfinished = place.folder / ".living.json"
        unfinished.write_text(json.dumps({"pid": self.pid, "started": self.started}))
        unfinished.replace(place.folder / "living.json")


def running() -> Path:
    """Where the folders of all clusters are."""
    return cache() / "running"


def this_process() -> Living:
    """The one that asks, as it is known outside of its namespace: /proc is still the outer one."""
    found = Living.of(int(str(Path("/proc/self").readlink())))
    assert found is not None  # noqa: S101 - it is running
    return found
