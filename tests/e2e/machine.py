"""The machine as a cluster found it, or left it."""

import subprocess
from dataclasses import dataclass, fields
from pathlib import Path

from local.cluster import remains
from local.cluster.place import running

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


def _programs() -> list[str]:
    """Those of clusters; other programs come and go on a machine that is in use."""
    commands = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        text = b" ".join(words).decode(errors="replace")
        if str(running().parent) in text or "local.cluster.init" in text:
            commands.append(f"{folder.name} {text}")
    return commands


def _namespaces() -> list[str]:
    found = set()
    for link in Path("/proc").glob("[0-9]*/ns/*"):
        if link.name in ("net", "mnt", "pid"):
            try:
                found.add(str(link.readlink()))
            except OSError:
                continue
    return sorted(found)


def _rules() -> list[str]:
    saved = []
    for command in ("iptables-save", "iptables-legacy-save"):
        done = subprocess.run((command,), capture_output=True, text=True, check=False)
        saved += [line for line in done.stdout.splitlines() if line.startswith("-A")]
    return saved


def _cgroups() -> list[str]:
    return [str(folder) for root in remains.hierarchies() for folder in root.glob("trilens*/**/")]


def _files() -> list[str]:
    found = [str(path) for name in _FOLDERS for path in Path(name).glob("*")]
    words = ("kube", "containerd", "runc", "cni", "ctd")
    found += [str(p) for p in Path("/tmp").iterdir() if p.name.startswith(words)]  # noqa: S108
    return found + [str(path) for path in running().glob("*")]


def _settings() -> list[str]:
    names = [*remains.SETTINGS, "net/ipv4/ip_forward"]
    return [f"{name} {(Path('/proc/sys') / name).read_text()}" for name in names]
