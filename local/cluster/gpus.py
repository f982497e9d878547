"""Simulated GPUs: a device plugin that hands out `nvidia.com/gpu` as the real one does.

Each GPU is a folder with a file `health`; containers see the folders of theirs, so that a
simulated accelerator can fail when its GPU does. Run as `python -m local.cluster.gpus NAME`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import grpc

from local.cluster.config import KUBELET_FOLDER
from local.cluster.place import Place
from local.cluster.v1beta1 import device_plugin_pb2 as pb
from local.cluster.v1beta1 import device_plugin_pb2_grpc as rpc

COUNT: Final = 2
RESOURCE: Final = "nvidia.com/gpu"
HEALTHY: Final = "healthy"
LOST: Final = "lost"

_IN_CONTAINERS: Final = "/run/simulated-gpus"
_LOOK_EVERY_SECONDS: Final = 0.1
_SOCKET: Final = "simulated-gpus.sock"

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


def make(folder: Path) -> None:
    """Makes the GPUs, all of them healthy."""
    for number in range(COUNT):
        (folder / f"gpu-{number}").mkdir(parents=True)
        set_health(folder, f"gpu-{number}", HEALTHY)


def set_health(folder: Path, gpu: str, health: str) -> None:
    """Takes a GPU away or brings it back."""
    unfinished = folder / f".{gpu}"
    unfinished.write_text(health)
    unfinished.replace(folder / gpu / "health")


def health(folder: Path) -> Mapping[str, str]:
    """What each GPU's file says."""
    return {file.parent.name: file.read_text() for file in sorted(folder.glob("*/health"))}


class Gpus(rpc.DevicePluginServicer):
    """What the kubelet asks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def GetDevicePluginOptions(
        self, request: pb.Empty, context: Context
    ) -> pb.DevicePluginOptions:
        """Nothing besides."""
        del request, context
        return pb.DevicePluginOptions()

    async def ListAndWatch(
        self, request: pb.Empty, context: Context
    ) -> AsyncIterator[pb.ListAndWatchResponse]:
        """Every GPU, again whenever the health of one changes."""
        del request, context
        told: Mapping[str, str] = {}
        while True:
            found = health(self._folder)
            if found != told:
                told = found
                yield pb.ListAndWatchResponse(devices=_devices(found))
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def Allocate(self, request: pb.AllocateRequest, context: Context) -> pb.AllocateResponse:
        """The names of a container's GPUs, where real ones have them too, and their folders."""
        del context
        return pb.AllocateResponse(
            container_responses=[
                pb.ContainerAllocateResponse(
                    envs={"NVIDIA_VISIBLE_DEVICES": ",".join(asked.devices_ids)},
                    mounts=[self._mount(gpu) for gpu in asked.devices_ids],
                )
                for asked in request.container_requests
            ]
        )

    def _mount(self, gpu: str) -> pb.Mount:
        return pb.Mount(
            container_path=f"{_IN_CONTAINERS}/{gpu}",
            host_path=str(self._folder / gpu),
            read_only=True,
        )


async def serve(folder: Path, sockets: Path) -> None:
    """Listens beside the kubelet, and makes itself known whenever a kubelet starts there."""
    kubelet, own = sockets / "kubelet.sock", sockets / _SOCKET
    while True:
        while not (known := _inode(kubelet)):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        server = grpc.aio.server()
        rpc.add_DevicePluginServicer_to_server(Gpus(folder), server)
        server.add_insecure_port(f"unix:{own}")
        await server.start()
        try:
            await _register(kubelet)
            print("registered", flush=True)
            # A kubelet that starts removes every socket here, and listens on a new one.
            while _inode(own) and _inode(kubelet) == known:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
        except grpc.aio.AioRpcError as error:
            print(f"not registered: {error.details()}", flush=True)
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
        finally:
            await server.stop(grace=None)


def _inode(socket: Path) -> int:
    """Which file it is that has this name now; 0 if none."""
    try:
        return socket.stat().st_ino
    except FileNotFoundError:
        return 0


async def _register(kubelet: Path) -> None:
    async with grpc.aio.insecure_channel(f"unix:{kubelet}") as channel:
        plugin = pb.RegisterRequest(version="v1beta1", endpoint=_SOCKET, resource_name=RESOURCE)
        await rpc.RegistrationStub(channel).Register(plugin, timeout=5)


def _devices(found: Mapping[str, str]) -> list[pb.Device]:
    return [
        pb.Device(id=gpu, health="Healthy" if word == HEALTHY else "Unhealthy")
        for gpu, word in found.items()
    ]


if __name__ == "__main__":
    asyncio.run(serve(Place(sys.argv[1]).gpus, Path(KUBELET_FOLDER) / "device-plugins"))
