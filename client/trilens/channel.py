"""The published client settings: how a client should talk to Trilens, in any language, and why."""

from importlib.resources import files
from pathlib import Path
from typing import Final

import grpc

DEFAULT_SERVER: Final = "127.0.0.1:50051"

# What servers take unless told otherwise: well above their limit of 20 MiB for a photo, so that one
# byte too many gets the server's explanation and not the transport's.
MAX_MESSAGE_BYTES: Final = 64 * 2**20

# Retries only UNAVAILABLE: no server did the work, so asking again costs nobody anything.
# DEADLINE_EXCEEDED is never retried, since the caller's time is over, and RESOURCE_EXHAUSTED
# neither, since a full server needs fewer calls. The budget keeps an outage from being multiplied:
# each failure takes one of 100 tokens, each success gives 0.1 back, below half nothing is retried.
# The waits, 0.1, 0.2 and 0.4 s, fit into the shortest deadlines that make sense here, about 1 s.
# round_robin lets a retry meet another server than the one that was just unavailable.
SERVICE_CONFIG: Final = files("trilens").joinpath("service_config.json").read_text("utf-8")

Options = tuple[tuple[str, str | int], ...]


def options(max_message_bytes: int = MAX_MESSAGE_BYTES) -> Options:
    """Channel arguments for messages of up to `max_message_bytes`, the service config included."""
    return (
        ("grpc.service_config", SERVICE_CONFIG),
        # gRPC never retries a call whose message exceeds this, and it starts at 256 KiB: without
        # this line no ordinary photo is ever retried, whatever the service config says.
        ("grpc.per_rpc_retry_buffer_size", max_message_bytes),
        # Refused here instead of after an upload that the server would throw away.
        ("grpc.max_send_message_length", max_message_bytes),
        # Starts at 4 MiB, which the answer to a large batch may exceed.
        ("grpc.max_receive_message_length", max_message_bytes),
        # A host that vanishes sends no goodbye. With keepalive on, the kernel gives up on bytes
        # that nobody acknowledged for 10 s, instead of a quarter of an hour. Pings go out during
        # calls only: servers close connections that are pinged while idle.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 0),
        # Starts at 30 s: for that long a client would keep addresses of pods that are gone, and
        # not see those that were added. Names are only looked up again when a connection ends.
        ("grpc.dns_min_time_between_resolutions_ms", 1_000),
        # Starts at 120 s: after an outage a client would stay away for two minutes longer.
        ("grpc.max_reconnect_backoff_ms", 5_000),
    )


def open_channel(
    server: str,
    *,
    tls: bool = False,
    root_certificates: Path | str | None = None,
    further: Options = (),
) -> grpc.Channel:
    """A channel with the published settings; `further` arguments go before them.

    `root_certificates` is a PEM file that the server's certificate is checked against, and implies
    TLS; `tls` alone checks against gRPC's own roots. Raises OSError if the file cannot be read.
    """
    secrets = _credentials(tls=tls, root_certificates=root_certificates)
    if secrets is None:
        return grpc.insecure_channel(server, _with(further))
    return grpc.secure_channel(server, secrets, _with(further))


def open_aio_channel(
    server: str,
    *,
    tls: bool = False,
    root_certificates: Path | str | None = None,
    further: Options = (),
) -> grpc.aio.Channel:
    """The same for asyncio."""
    secrets = _credentials(tls=tls, root_certificates=root_certificates)
    if secrets is None:
        return grpc.aio.insecure_channel(server, _with(further))
    return grpc.aio.secure_channel(server, secrets, _with(further))


def _with(further: Options) -> Options:
    return tuple((dict(options()) | dict(further)).items())


def _credentials(
    *, tls: bool, root_certificates: Path | str | None
) -> grpc.ChannelCredentials | None:
    if root_certificates is not None:
        return grpc.ssl_channel_credentials(Path(root_certificates).read_bytes())
    return grpc.ssl_channel_credentials() if tls else None
