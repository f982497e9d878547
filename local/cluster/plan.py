"""Plan: the programs of a cluster, in the order in which they are started."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from local.cluster import config, network, programs
from local.cluster.place import Place


@dataclass(frozen=True, slots=True)
class Part:
    """One program, with what it is told."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    # The others need the API server: started before it answers, they would wait seconds to retry.
    after_api: bool = True


def parts(place: Place) -> tuple[Part, ...]:
    """All of them."""
    keys = place.folder / "keys"
    return (
        _etcd(),
        _containerd(place.folder),
        _api_server(keys),
        _controllers(place, keys),
        _scheduler(place),
        _kubelet(place),
        _kube_proxy(place),
        _own("gpus", place),
        _own("policies", place),
    )


def search_path() -> str:
    """Where programs are looked for: those of the cluster first, containerd's shim among them."""
    built = [str(group.built()) for group in (*programs.CORE, *programs.EXTRAS)]
    return os.pathsep.join([*built, os.environ.get("PATH", os.defpath)])


def _etcd() -> Part:
    return _part(
        "etcd",
        "--data-dir=/var/lib/etcd",
        f"--listen-client-urls={network.ETCD}",
        f"--advertise-client-urls={network.ETCD}",
        "--listen-peer-urls=http://127.0.0.1:0",
        "--unsafe-no-fsync",  # a cluster that dies is made anew
        after_api=False,
    )


def _containerd(folder: Path) -> Part:
    return _part("containerd", f"--config={folder}/containerd.toml", after_api=False)


def _api_server(keys: Path) -> Part:
    return _part(
        "kube-apiserver",
        f"--etcd-servers={network.ETCD}",
        f"--advertise-address={network.NODE}",
        f"--secure-port={network.API_PORT}",
        f"--service-cluster-ip-range={network.SERVICES}",
        f"--client-ca-file={keys}/ca.crt",
        f"--tls-cert-file={keys}/serving.crt",
        f"--tls-private-key-file={keys}/serving.key",
        f"--kubelet-certificate-authority={keys}/ca.crt",
        f"--kubelet-client-certificate={keys}/admin.crt",
        f"--kubelet-client-key={keys}/admin.key",
        # Else `exec` and `logs` would ask DNS for the node.
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={keys}/accounts.pub",
        f"--service-account-signing-key-file={keys}/accounts.key",
        "--authorization-mode=Node,RBAC",
        f"--requestheader-client-ca-file={keys}/ca.crt",
        # One authority for both kinds of clients: then the name tells them apart.
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={keys}/front-proxy.crt",
        f"--proxy-client-key-file={keys}/front-proxy.key",
        "--enable-aggregator-routing=true",
        "--allow-privileged=true",
        "--profiling=false",
        after_api=False,
    )


def _controllers(place: Place, keys: Path) -> Part:
    return _part(
        "kube-controller-manager",
        f"--kubeconfig={place.kubeconfig}",
        f"--authentication-kubeconfig={place.kubeconfig}",
        f"--authorization-kubeconfig={place.kubeconfig}",
        f"--service-account-private-key-file={keys}/accounts.key",
        f"--root-ca-file={keys}/ca.crt",
        f"--cluster-signing-cert-file={keys}/ca.crt",
        f"--cluster-signing-key-file={keys}/ca.key",
        "--use-service-account-credentials=true",
        f"--flex-volume-plugin-dir={config.KUBELET_FOLDER}/plugins/exec",
        "--horizontal-pod-autoscaler-sync-period=5s",  # 15 s by default: tests would only wait
        "--leader-elect=false",
    )


def _scheduler(place: Place) -> Part:
    return _part(
        "kube-scheduler",
        f"--kubeconfig={place.kubeconfig}",
        f"--authentication-kubeconfig={place.kubeconfig}",
        f"--authorization-kubeconfig={place.kubeconfig}",
        "--leader-elect=false",
    )


def _kubelet(place: Place) -> Part:
    return _part(
        "kubelet",
        f"--config={place.folder}/kubelet.json",
        f"--kubeconfig={place.kubeconfig}",
        f"--root-dir={config.KUBELET_FOLDER}",
        f"--hostname-override={place.name}",
        f"--node-ip={network.NODE}",
    )


def _kube_proxy(place: Place) -> Part:
    return _part(
        "kube-proxy",
        f"--config={place.folder}/kube-proxy.json",
        f"--hostname-override={place.name}",
    )


def _own(module: str, place: Place) -> Part:
    command = (sys.executable, "-m", f"local.cluster.{module}", place.name)
    return Part(module, command, {"PYTHONUNBUFFERED": "1"})


def _part(name: str, *arguments: str, after_api: bool = True) -> Part:
    return Part(name, (str(programs.path(name)), *arguments), after_api=after_api)
