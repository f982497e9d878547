"""Names: DNS inside the cluster, a CoreDNS of its own in a pod, as in real clusters."""

from typing import Any, Final

from local.cluster import network

IMAGE: Final = "localhost/coredns:1"

Json = dict[str, Any]

_NAMESPACE: Final = "kube-system"
_LABELS: Final = {"k8s-app": "kube-dns"}  # what network policies of charts allow
_NAMED: Final = {"name": "coredns", "namespace": _NAMESPACE}

# Nothing is forwarded: there is nobody to ask, and waiting for an answer would hide that.
_COREFILE: Final = f"""\
{network.DOMAIN}:53 in-addr.arpa:53 {{
    errors
    health
    ready
    kubernetes {network.DOMAIN} in-addr.arpa {{
        ttl 1
    }}
}}
.:53 {{
    template ANY ANY . {{
        rcode NXDOMAIN
    }}
}}
"""


def objects() -> dict[str, Json]:
    """Everything that it is made of, by where the API server has it."""
    core = f"/api/v1/namespaces/{_NAMESPACE}"
    access = "/apis/rbac.authorization.k8s.io/v1"
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "coredns"}
    reader = {"kind": "ServiceAccount", **_NAMED}
    return {
        f"{core}/serviceaccounts/coredns": _object("v1", "ServiceAccount"),
        f"{core}/configmaps/coredns": _object("v1", "ConfigMap", data={"Corefile": _COREFILE}),
        f"{access}/clusterroles/coredns": _object(
            "rbac.authorization.k8s.io/v1",
            "ClusterRole",
            rules=[
                _may_read("", "endpoints", "services", "pods", "namespaces"),
                _may_read("discovery.k8s.io", "endpointslices"),
            ],
        ),
        f"{access}/clusterrolebindings/coredns": _object(
            "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", roleRef=role, subjects=[reader]
        ),
        f"{core}/services/kube-dns": _service(),
        f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments/coredns": _object(
            "apps/v1", "Deployment", spec=_deployment()
        ),
    }


def _object(version: str, kind: str, **content: Any) -> Json:
    metadata = {"name": "coredns"} if kind.startswith("Cluster") else _NAMED
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def _may_read(group: str, *resources: str) -> Json:
    return {"apiGroups": [group], "resources": resources, "verbs": ["list", "watch"]}


def _service() -> Json:
    ports = [
        {"name": f"dns-{protocol.lower()}", "port": 53, "protocol": protocol}
        for protocol in ("UDP", "TCP")
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": _NAMESPACE, "labels": _LABELS},
        "spec": {"clusterIP": network.DNS, "selector": _LABELS, "ports": ports},
    }


def _deployment() -> Json:
    container = {
        "name": "coredns",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
    }
    pod = {
        "serviceAccountName": "coredns",
        "dnsPolicy": "Default",  # not itself
        "priorityClassName": "system-cluster-critical",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
    return {
        "replicas": 1,
        "selector": {"matchLabels": _LABELS},
        "template": {"metadata": {"labels": _LABELS}, "spec": pod},
    }
