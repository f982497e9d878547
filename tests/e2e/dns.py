"""Asks the cluster's DNS for a name, from within its network: `python -m tests.e2e.dns NAME`."""

import ipaddress
import socket
import struct
import sys

from local.cluster import network


def ask(name: str) -> str:
    """The address, or the answer's code if there is none."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + question + struct.pack(">xHH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        asking.sendto(query, (network.DNS, 53))
        answer = asking.recv(4096)
    code = answer[3] & 0x0F
    return f"code {code}" if code else str(ipaddress.IPv4Address(answer[-4:]))


if __name__ == "__main__":
    sys.stdout.write(ask(sys.argv[1]) + "\n")
