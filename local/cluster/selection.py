"""Selection: which pods a network policy means."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod on this node that has an address."""

    namespace: str
    address: str
    labels: Mapping[str, str]
    ports: Mapping[str, int]  # by name

    @classmethod
    def read(cls, content: Json, addresses: Mapping[str, str]) -> "Pod | None":
        """The pod, or None if it has no address of its own: not yet, no longer, or the node's."""
        metadata, spec = content["metadata"], content["spec"]
        address = addresses.get(metadata["uid"])
        if address is None:
            return None
        containers = [*spec["containers"], *spec.get("initContainers", [])]
        ports = {
            port["name"]: port["containerPort"]
            for container in containers
            for port in container.get("ports", [])
            if "name" in port
        }
        return cls(metadata["namespace"], address, metadata.get("labels", {}), ports)


@dataclass(frozen=True, slots=True)
class Peer:
    """What a rule allows to talk with; a port may be named only where it is a pod's."""

    network: str
    ports: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class World:
    """All that policies can speak of."""

    pods: Sequence[Pod]
    namespaces: Mapping[str, Mapping[str, str]]  # their labels

    def peers(self, entry: Json, namespace: str) -> list[Peer]:
        """What one entry of `from` or `to` means, in a policy of that namespace."""
        if block := entry.get("ipBlock"):
            return [Peer(part) for part in _without(block["cidr"], block.get("except", ()))]
        return [
            Peer(pod.address, pod.ports)
            for pod in self.pods
            if self._in_namespace(pod, entry.get("namespaceSelector"), namespace)
            and selects(entry.get("podSelector") or {}, pod.labels)
        ]

    def _in_namespace(self, pod: Pod, selector: Json | None, own: str) -> bool:
        if selector is None:
            return pod.namespace == own
        return selects(selector, self.namespaces.get(pod.namespace, {}))


def selects(selector: Json, labels: Mapping[str, str]) -> bool:
    """Whether the selector means something with these labels; an empty one means everything."""
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(rule, labels) for rule in selector.get("matchExpressions") or ())


def _holds(rule: Json, labels: Mapping[str, str]) -> bool:
    value = labels.get(rule["key"])
    match rule["operator"]:
        case "In":
            return value in rule["values"]
        case "NotIn":
            return value not in rule["values"]
        case "Exists":
            return value is not None
        case _:
            return value is None


def _without(block: str, excepted: Sequence[str]) -> list[str]:
    networks = [ipaddress.IPv4Network(block)]
    for hole in map(ipaddress.IPv4Network, excepted):
        rest: list[ipaddress.IPv4Network] = []
        for network in networks:
            rest += network.address_exclude(hole) if hole.subnet_of(network) else [network]
        networks = rest
    return [str(network) for network in networks]
