"""Programs: what the cluster is made of, and the Go modules that they are built from."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).resolve().parent / "go"

_STRIPPED: Final = "-s -w"


@dataclass(frozen=True, slots=True, eq=False)  # there is one of each
class Group:
    """Programs that share one go.mod; each is named with the package that it is built from."""

    name: str
    programs: dict[str, str]
    tags: str = ""
    stamped: str = ""  # a variable that is told the version: the module itself does not know it
    module: str = ""  # whose version that is
    manifests: str = ""  # a folder of the module that is kept beside the programs

    @property
    def folder(self) -> Path:
        """Where go.mod and go.sum are."""
        return SOURCES / self.name

    @property
    def flags(self) -> tuple[str, ...]:
        """What `go build` is told."""
        linked = f"{_STRIPPED} -X {self.stamped}={self.version}" if self.stamped else _STRIPPED
        tags = ("-tags", self.tags) if self.tags else ()
        return ("-trimpath", "-ldflags", linked, *tags)

    @property
    def version(self) -> str:
        """The version that go.mod asks for."""
        text = (self.folder / "go.mod").read_text()
        found = re.search(rf"{re.escape(self.module)} (v\S+)", text)
        if found is None:
            raise ValueError(f"{self.folder}/go.mod does not name {self.module}")
        return found[1]

    @property
    def key(self) -> str:
        """Differs when anything that a program is made from does."""
        parts = [file.read_bytes() for file in sorted(self.folder.iterdir())]
        parts.append(repr((self.flags, sorted(self.programs.items()))).encode())
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]

    def built(self) -> Path:
        """Where the programs lie once they are built."""
        return cache() / "programs" / f"{self.name}-{self.key}"

    def missing(self) -> tuple[str, ...]:
        """The programs that are still to be built."""
        return tuple(name for name in self.programs if not (self.built() / name).exists())


KUBERNETES: Final = Group(
    "kubernetes",
    {
        name: f"k8s.io/kubernetes/cmd/{name}"
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
            "kubectl",
        )
    },
    stamped="k8s.io/component-base/version.gitVersion",
    module="k8s.io/kubernetes",
)
ETCD: Final = Group("etcd", {"etcd": "go.etcd.io/etcd/server/v3"})
CONTAINERD: Final = Group(
    "containerd",
    {
        name: f"github.com/containerd/containerd/v2/cmd/{name}"
        for name in ("containerd", "containerd-shim-runc-v2", "ctr")
    },
    tags="no_btrfs,no_devmapper,no_zfs,no_aufs",
)
COREDNS: Final = Group("coredns", {"coredns": "github.com/coredns/coredns"})
PAUSE: Final = Group("pause", {"pause": "."})
PROBE: Final = Group("probe", {"probe": "."})
HELM: Final = Group(
    "helm",
    {"helm": "helm.sh/helm/v4/cmd/helm"},
    stamped="helm.sh/helm/v4/internal/version.version",
    module="helm.sh/helm/v4",
)
# What the chart is checked with, too: it has to render the same.
HELM3: Final = Group(
    "helm3",
    {"helm3": "helm.sh/helm/v3/cmd/helm"},
    stamped="helm.sh/helm/v3/internal/version.version",
    module="helm.sh/helm/v3",
)
KWOK: Final = Group(
    "kwok",
    {"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
    module="sigs.k8s.io/kwok",
    manifests="kustomize",
)
METRICS_SERVER: Final = Group(
    "metrics-server",
    {"metrics-server": "sigs.k8s.io/metrics-server/cmd/metrics-server"},
    module="sigs.k8s.io/metrics-server",
    manifests="manifests",
)
KEDA: Final = Group(
    "keda",
    {
        "keda-operator": "github.com/kedacore/keda/v2/cmd/operator",
        "keda-adapter": "github.com/kedacore/keda/v2/cmd/adapter",
    },
    module="github.com/kedacore/keda/v2",
    manifests="config",
)

# Without these there is no cluster, or nothing to install on it.
CORE: Final = (ETCD, PAUSE, PROBE, KUBERNETES, CONTAINERD, COREDNS, HELM)
EXTRAS: Final = (KWOK, METRICS_SERVER, KEDA)


def cache() -> Path:
    """The user's cache folder, the part of it that is ours."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "trilens" / "cluster"


def path(name: str) -> Path:
    """Where the program of that name lies."""
    for group in (*CORE, *EXTRAS, HELM3):
        if name in group.programs:
            return group.built() / name
    raise KeyError(name)
