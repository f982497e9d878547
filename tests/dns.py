"""A name server for tests: answers for one name with the addresses that it is told."""

import asyncio
import ipaddress
import struct
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from tests.harness import LOOPBACK

_A = 1
_ANSWER = 0x8580  # a response, authoritative, recursion desired and available, no error
_NAME_OF_QUESTION = 0xC00C  # a pointer to where the question's name stands


class NameServer(asyncio.DatagramProtocol):
    """Every name has these IPv4 addresses, and nothing else."""

    def __init__(self) -> None:
        self.asked = 0
        self._addresses: tuple[str, ...] = ()

    def say(self, addresses: Iterable[str]) -> None:
        """From now on those are the addresses."""
        self._addresses = tuple(addresses)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, caller: Any) -> None:
        self.asked += 1
        end = data.index(0, 12) + 5  # the name's last, empty label; type and class
        (kind,) = struct.unpack("!H", data[end - 4 : end - 2])
        found = self._addresses if kind == _A else ()
        answers = b"".join(
            struct.pack("!HHHIH", _NAME_OF_QUESTION, _A, 1, 0, 4)
            + ipaddress.IPv4Address(address).packed
            for address in found
        )
        header = data[:2] + struct.pack("!HHHHH", _ANSWER, 1, len(found), 0, 0)
        self._transport.sendto(header + data[12:end] + answers, caller)


@asynccontextmanager
async def name_server() -> AsyncIterator[tuple[NameServer, str]]:
    """The server and its host:port."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(NameServer, local_addr=(LOOPBACK, 0))
    try:
        yield server, "{}:{}".format(*transport.get_extra_info("sockname"))
    finally:
        transport.close()
