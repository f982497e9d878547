"""Config: the files that the cluster's programs read. All JSON, which is YAML too, but one."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from local.cluster import network
from local.cluster.oci import PAUSE

Json = Mapping[str, Any]

# As they lie in the mount namespace, where /run and /var/lib are the cluster's own.
CONTAINERD_SOCKET: Final = "/run/containerd/containerd.sock"
KUBELET_FOLDER: Final = "/var/lib/kubelet"
CNI_PLUGINS: Final = "/usr/lib/cni"


def kubeconfig(keys: Path) -> Json:
    """For the administrator, with everything in one file."""
    cluster = {
        "server": f"https://{network.NODE}:{network.API_PORT}",
        "certificate-authority-data": _encoded(keys / "ca.crt"),
    }
    user = {
        "client-certificate-data": _encoded(keys / "admin.crt"),
        "client-key-data": _encoded(keys / "admin.key"),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "trilens", "cluster": cluster}],
        "users": [{"name": "admin", "user": user}],
        "contexts": [{"name": "trilens", "context": {"cluster": "trilens", "user": "admin"}}],
        "current-context": "trilens",
    }


def kubelet(folder: Path, cgroup: str) -> Json:
    """The node: its pods' cgroup is its own, so that two nodes on one machine do not meet."""
    keys = folder / "keys"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(keys / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(keys / "serving.crt"),
        "tlsPrivateKeyFile": str(keys / "serving.key"),
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        # Lets it start where the machine's root may not do everything.
        "featureGates": {"KubeletInUserNamespace": True},
        "clusterDNS": [network.DNS],
        "clusterDomain": network.DOMAIN,
        "resolvConf": str(folder / "resolv.conf"),
        "volumePluginDir": f"{KUBELET_FOLDER}/plugins/exec",
        "maxPods": 200,
        "nodeStatusUpdateFrequency": "2s",  # 10 s by default: tests would only wait
        "serializeImagePulls": False,
        # A disk that others fill must not evict what is tested; images are all imported.
        "evictionHard": {"memory.available": "64Mi", "nodefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
    }


def kube_proxy(folder: Path) -> Json:
    """Services, by iptables; the machine's own table of connections stays as it is."""
    untouched = {"maxPerCore": 0, "min": 0}
    as_they_are = {"tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": str(folder / "kubeconfig")},
        "clusterCIDR": network.PODS,
        "conntrack": {**untouched, **as_they_are},
    }


def cni() -> Json:
    """Pods are wired to the node one by one: every packet between two passes the node's rules."""
    ranges = [[{"subnet": network.PODS}]]
    addresses = {"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}]}
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def containerd(folder: Path) -> str:
    """What runs containers, with images by tag and digest and no registry."""
    return f"""\
version = 3
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
address = "{CONTAINERD_SOCKET}"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE}"

[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
enable_unprivileged_ports = true
enable_unprivileged_icmp = true

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{CNI_PLUGINS}"]
conf_dir = "{folder / "cni"}"
"""


def write(folder: Path, cgroup: str) -> None:
    """Writes all of them."""
    (folder / "cni").mkdir()
    files: dict[str, Json] = {
        "kubeconfig": kubeconfig(folder / "keys"),
        "kubelet.json": kubelet(folder, cgroup),
        "kube-proxy.json": kube_proxy(folder),
        "cni/pods.conflist": cni(),
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2))
    (folder / "kubeconfig").chmod(0o600)
    (folder / "containerd.toml").write_text(containerd(folder))
    # Pods that ask for the node's own name server reach nothing, and see it at once.
    (folder / "resolv.conf").write_text(f"nameserver {network.NODE}\n")


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
