"""What the kernel would do with a packet, read from rules as `iptables-restore` gets them."""

import ipaddress
import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Packet:
    """The first packet of a connection."""

    source: str
    target: str
    port: int
    protocol: str = "tcp"


def passes(rules: str, hook: str, packet: Packet) -> bool:
    """Whether a packet gets through that chain."""
    chains: dict[str, list[list[str]]] = {}
    for line in rules.splitlines():
        if line.startswith(":"):
            chains[line[1:].split()[0]] = []
        elif line.startswith("-A"):
            _, name, *words = shlex.split(line)
            chains[name].append(words)
    return _walk(chains, hook, packet) != "DROP"


def _walk(chains: dict[str, list[list[str]]], name: str, packet: Packet) -> str:
    for words in chains[name]:
        *matches, _, target = words
        if not all(
            _matches(*pair, packet) for pair in zip(matches[::2], matches[1::2], strict=True)
        ):
            continue
        if target == "RETURN":
            return "RETURN"
        if target == "DROP" or _walk(chains, target, packet) == "DROP":
            return "DROP"
    return "RETURN"


def _matches(option: str, value: str, packet: Packet) -> bool:
    match option:
        case "-s":
            return ipaddress.ip_address(packet.source) in ipaddress.ip_network(value)
        case "-d":
            return ipaddress.ip_address(packet.target) in ipaddress.ip_network(value)
        case "-p":
            return packet.protocol == value
        case "--dport":
            first, _, last = value.partition(":")
            return int(first) <= packet.port <= int(last or first)
        case "-m":
            return value == "conntrack"
        case "--ctstate":
            return False  # it is the first
    raise ValueError(option)
