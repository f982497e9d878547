"""Where the replicas behind a name are: the gateway asks DNS itself, and hears of new ones soon.

gRPC asks again only when a connection breaks, at most every 30 s; a headless Service changes when
it pleases.
"""

import socket
from dataclasses import dataclass
from typing import Final, Self

from chassis.background import in_background

_SCHEME: Final = "dns:///"
# The name server's word that there are none; any other failure says nothing about them.
_NONE: Final = frozenset((socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)))


@dataclass(frozen=True, slots=True)
class Name:
    """A name that may stand for any number of replicas, all on one port."""

    host: str
    port: int

    @classmethod
    def of(cls, target: str) -> Self | None:
        """The name in dns:///host:port; None for a target of any other form."""
        host, _, port = target.removeprefix(_SCHEME).rpartition(":")
        if not target.startswith(_SCHEME) or not host or not port.isdecimal():
            return None
        return cls(host.strip("[]"), int(port))

    async def addresses(self) -> frozenset[str]:
        """Every replica's host:port; raises OSError if the name servers do not tell."""
        return await in_background(self._look_up, "dns")

    def _look_up(self) -> frozenset[str]:
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno in _NONE:
                return frozenset()
            raise
        except UnicodeError as error:
            raise OSError(f"{self.host} cannot be the name of anything: {error}") from error
        # A replica of two families has an address of each: asked at one of them it is one replica.
        family = found[0][0]
        hosts = {str(one[4][0]) for one in found if one[0] == family}
        return frozenset(
            f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}" for host in hosts
        )
