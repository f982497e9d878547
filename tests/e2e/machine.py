"""The machine as a cluster found it, or left it; clusters of others may come and go meanwhile."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from local.cluster import remains
from local.cluster.place import Living, Place, running

OWN = "proof"  # how the names of clusters begin that are looked after

_FOLDERS = (
    *("/run", "/run/netns", "/var/lib", "/var/lib/kubelet", "/var/lib/cni", "/var/log"),
    *("/etc/cni", "/opt/cni", "/usr/libexec/kubernetes", "/etc/kubernetes"),
)


@dataclass(frozen=True)
class Machine:
    """What a cluster could leave behind."""

    programs: frozenset[str]
    mounts: frozenset[str]
    namespaces: frozenset[str]
    links: frozenset[str]
    rules: frozenset[str]
    cgroups: frozenset[str]
    files: frozenset[str]
    settings: frozenset[str]

    @classmethod
    def now(cls) -> "Machine":
        """As it is."""
        return cls(
            programs=frozenset(_programs()),
            mounts=frozenset(Path("/proc/self/mounts").read_text().splitlines()),
            namespaces=frozenset(_namespaces()),
            links=frozenset(path.name for path in Path("/sys/class/net").iterdir()),
            rules=frozenset(_rules()),
            cgroups=frozenset(_cgroups()),
            files=frozenset(_files()),
            settings=frozenset(_settings()),
        )

    def left_since(self, before: "Machine") -> dict[str, set[str]]:
        """What is there now and was not then."""
        left = {
            field.name: getattr(self, field.name) - getattr(before, field.name)
            for field in fields(self)
        }
        return {name: set(found) for name, found in left.items() if found}


def _others() -> list[Living]:
    """The first processes of clusters that are not of these tests."""
    names = [path.parent.name for path in running().glob("*/living.json")]
    found = (Living.read(Place(name)) for name in names if not name.startswith(OWN))
    return [one for one in found if one is not None]


def _mine() -> Iterator[Path]:
    """Every process that is in none of the others, and no command that was sent into one."""
    firsts = {str(one.pid) for one in _others()}
    networks = {_link(Path(f"/proc/{first}/ns/net")) for first in firsts}
    for folder in Path("/proc").glob("[0-9]*"):
        sent = _link(folder / "ns/net") in networks
        # Pods have networks of their own, and yet descend from the first process.
        if not sent and not firsts & {folder.name, *_ancestors(folder.name)}:
            yield folder


def _ancestors(process: str) -> Iterator[str]:
    while process != "0":
        try:
            stat = Path(f"/proc/{process}/stat").read_text()
        except OSError:
            return
        process = stat.rpartition(")")[2].split()[1]
        yield process


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def _programs() -> list[str]:
    """Those of clusters; other programs come and go on a machine that is in use."""
    commands = []
    for folder in _mine():
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        text = b" ".join(words).decode(errors="replace")
        if str(running()) in text or "local.cluster.init" in text:
            commands.append(f"{folder.name} {text}")
    return commands


def _namespaces() -> list[str]:
    # A build of an image has mounts of its own, too; what a cluster leaves shows in these.
    links = (_link(folder / "ns" / name) for folder in _mine() for name in ("net", "pid"))
    return sorted({link for link in links if link})


def _rules() -> list[str]:
    saved = []
    for command in ("iptables-save", "iptables-legacy-save"):
        done = subprocess.run((command,), capture_output=True, text=True, check=False)
        saved += [line for line in done.stdout.splitlines() if line.startswith("-A")]
    return saved


def _cgroups() -> list[str]:
    pattern = f"trilens-{OWN}*/**/"
    return [str(folder) for root in remains.hierarchies() for folder in root.glob(pattern)]


def _files() -> list[str]:
    found = [str(path) for name in _FOLDERS for path in Path(name).glob("*")]
    words = ("kube", "containerd", "runc", "cni", "ctd")
    found += [str(p) for p in Path("/tmp").iterdir() if p.name.startswith(words)]  # noqa: S108
    return found + [str(path) for path in running().glob(f"{OWN}*")]


def _settings() -> list[str]:
    if _others():  # the last one to go puts them right
        return []
    names = [*remains.SETTINGS, "net/ipv4/ip_forward"]
    return [f"{name} {(Path('/proc/sys') / name).read_text()}" for name in names]
