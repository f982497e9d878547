"""Rules: network policies as what `iptables-restore` reads.

A packet that a pod sends or gets passes the sender's rules, then the receiver's. A pod's chain
returns what is allowed, and drops the rest. What the node sends is never asked, as with real
network plugins: the kubelet probes through policies.

The table is `mangle`: a packet passes it before `filter`, where kube-proxy accepts some at once.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from local.cluster import network
from local.cluster.selection import Peer, Pod, World, selects

Json = Mapping[str, Any]

_FORWARDED: Final = "TRILENS-FORWARD"
_TO_NODE: Final = "TRILENS-INPUT"
# The rules of a first connection hold for what belongs to it.
_KNOWN: Final = "-m conntrack --ctstate ESTABLISHED,RELATED -j RETURN"

SETUP: Final = f"""\
*mangle
:{_FORWARDED} - [0:0]
:{_TO_NODE} - [0:0]
-I FORWARD -j {_FORWARDED}
-I INPUT -j {_TO_NODE}
COMMIT
"""


@dataclass(frozen=True, slots=True)
class Direction:
    """One of the two ways in which policies look at a pod."""

    name: str  # as in policyTypes
    chain: str
    own: str  # the option that matches the pod itself
    other: str  # and the one for its peer
    rules: str  # where a policy has the rules, and each of them its peers
    peers: str


_EGRESS: Final = Direction("Egress", "TRILENS-FROM", "-s", "-d", "egress", "to")
_INGRESS: Final = Direction("Ingress", "TRILENS-TO", "-d", "-s", "ingress", "from")


def render(world: World, policies: Sequence[Json], stale: Iterable[str]) -> str:
    """All rules, in place of those before; `stale` are the chains that pods had then."""
    isolated = {
        direction.name: dict(_chains(world, policies, direction))
        for direction in (_EGRESS, _INGRESS)
    }
    made = {name for chains in isolated.values() for name in chains}
    lines = ["*mangle"]
    names = {_FORWARDED, _TO_NODE, _EGRESS.chain, _INGRESS.chain, *made, *stale}
    lines += [f":{name} - [0:0]" for name in sorted(names)]
    lines += [f"-A {_FORWARDED} {_KNOWN}", f"-A {_TO_NODE} {_KNOWN}"]
    lines += [f"-A {_FORWARDED} -j {direction.chain}" for direction in (_EGRESS, _INGRESS)]
    lines += [f"-A {_TO_NODE} -j {_EGRESS.chain}"]
    for direction in (_EGRESS, _INGRESS):
        lines += _asked(world, direction, isolated[direction.name])
        for name, allowed in isolated[direction.name].items():
            lines += [f"-A {name} {rule}-j RETURN" for rule in allowed]
            lines += [f"-A {name} -j DROP"]
    lines += [f"-X {name}" for name in sorted(set(stale) - made)]
    return "\n".join([*lines, "COMMIT", ""])


def chains_of(rendered: str) -> set[str]:
    """The chains of pods in what was rendered."""
    names = {line[1:].split()[0] for line in rendered.splitlines() if line.startswith(":")}
    removed = {line.split()[1] for line in rendered.splitlines() if line.startswith("-X")}
    return {name for name in names - removed if name.startswith(("TRILENS-E-", "TRILENS-I-"))}


def _asked(world: World, direction: Direction, chains: Mapping[str, Any]) -> Iterator[str]:
    for pod in world.pods:
        match = f"-A {direction.chain} {direction.own} {pod.address}"
        if (name := _chain(pod, direction)) in chains:
            yield f"{match} -j {name}"
        yield f"{match} -j RETURN"
    # A pod that is not known yet may be one that a policy is about.
    yield f"-A {direction.chain} {direction.own} {network.PODS} -j DROP"


def _chains(
    world: World, policies: Sequence[Json], direction: Direction
) -> Iterator[tuple[str, list[str]]]:
    for pod in world.pods:
        about = [policy for policy in policies if _is_about(policy, pod, direction)]
        if about:
            rules = [_allowed(policy, pod, world, direction) for policy in about]
            yield _chain(pod, direction), sorted({rule for part in rules for rule in part})


def _is_about(policy: Json, pod: Pod, direction: Direction) -> bool:
    return (
        policy["metadata"]["namespace"] == pod.namespace
        and direction.name in policy["spec"]["policyTypes"]
        and selects(policy["spec"].get("podSelector") or {}, pod.labels)
    )


def _allowed(policy: Json, pod: Pod, world: World, direction: Direction) -> Iterator[str]:
    namespace = policy["metadata"]["namespace"]
    for rule in policy["spec"].get(direction.rules) or ():
        entries = rule.get(direction.peers) or ()
        peers = [peer for entry in entries for peer in world.peers(entry, namespace)]
        for peer in peers if entries else _anybody(world, direction):
            named = pod.ports if direction is _INGRESS else peer.ports
            for ports in _ports(rule.get("ports") or (), named):
                address = f"{direction.other} {peer.network} " if peer.network else ""
                yield address + ports


def _anybody(world: World, direction: Direction) -> list[Peer]:
    if direction is _INGRESS:
        return [Peer("")]
    # A port by its name is another number at each pod.
    return [Peer(""), *(Peer(pod.address, pod.ports) for pod in world.pods if pod.ports)]


def _ports(ports: Sequence[Json], named: Mapping[str, int]) -> Iterator[str]:
    if not ports:
        yield ""
    for port in ports:
        match = f"-p {port.get('protocol', 'TCP').lower()} "
        number = port.get("port")
        if isinstance(number, str):
            number = named.get(number)
            if number is None:
                continue
        last = f":{port['endPort']}" if "endPort" in port else ""
        yield match + (f"--dport {number}{last} " if number is not None else "")


def _chain(pod: Pod, direction: Direction) -> str:
    digest = hashlib.sha256(f"{pod.namespace} {pod.address}".encode()).hexdigest()[:12]
    return f"TRILENS-{direction.name[0]}-{digest}"
