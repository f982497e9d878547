import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from local.cluster import gpus
from local.cluster.v1beta1 import device_plugin_pb2 as pb
from local.cluster.v1beta1 import device_plugin_pb2_grpc as rpc


class Kubelet(rpc.RegistrationServicer):
    """Takes note of the plugins that register."""

    def __init__(self) -> None:
        self.registered: asyncio.Queue[pb.RegisterRequest] = asyncio.Queue()

    async def Register(self, request: pb.RegisterRequest, context: object) -> pb.Empty:
        await self.registered.put(request)
        return pb.Empty()


@asynccontextmanager
async def kubelet(sockets: Path) -> AsyncIterator[Kubelet]:
    """One that starts: it removes every socket that it finds."""
    (sockets / "simulated-gpus.sock").unlink(missing_ok=True)
    (sockets / "kubelet.sock").unlink(missing_ok=True)
    server, servicer = grpc.aio.server(), Kubelet()
    rpc.add_RegistrationServicer_to_server(servicer, server)
    server.add_insecure_port(f"unix:{sockets}/kubelet.sock")
    await server.start()
    yield servicer
    await server.stop(grace=None)


@asynccontextmanager
async def serving(folder: Path, sockets: Path) -> AsyncIterator[None]:
    plugin = asyncio.create_task(gpus.serve(folder, sockets))
    yield
    plugin.cancel()
    await asyncio.wait((plugin,))


@pytest.fixture
def sockets(tmp_path: Path) -> Path:
    (tmp_path / "s").mkdir()
    return tmp_path / "s"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    gpus.make(tmp_path / "gpus")
    return tmp_path / "gpus"


async def test_the_kubelet_hears_of_two_gpus_and_when_one_is_lost(folder: Path, sockets: Path):
    async with kubelet(sockets) as heard, serving(folder, sockets):
        plugin = await asyncio.wait_for(heard.registered.get(), 10)
        assert plugin.resource_name == "nvidia.com/gpu"
        async with grpc.aio.insecure_channel(f"unix:{sockets}/{plugin.endpoint}") as channel:
            listed = rpc.DevicePluginStub(channel).ListAndWatch(pb.Empty(), timeout=10)
            first = await listed.read()
            gpus.set_health(folder, "gpu-1", gpus.LOST)
            second = await listed.read()

    assert {gpu.id: gpu.health for gpu in first.devices} == {"gpu-0": "Healthy", "gpu-1": "Healthy"}
    assert {gpu.id: gpu.health for gpu in second.devices}["gpu-1"] == "Unhealthy"


async def test_a_container_is_told_its_gpus_and_sees_their_health(folder: Path, sockets: Path):
    async with kubelet(sockets) as heard, serving(folder, sockets):
        plugin = await asyncio.wait_for(heard.registered.get(), 10)
        async with grpc.aio.insecure_channel(f"unix:{sockets}/{plugin.endpoint}") as channel:
            asked = pb.ContainerAllocateRequest(devices_ids=["gpu-1"])
            answer = await rpc.DevicePluginStub(channel).Allocate(
                pb.AllocateRequest(container_requests=[asked]), timeout=10
            )

    (container,) = answer.container_responses
    assert container.envs == {"NVIDIA_VISIBLE_DEVICES": "gpu-1"}
    (mount,) = container.mounts
    assert (Path(mount.host_path) / "health").read_text() == "healthy"
    assert mount.read_only


async def test_a_kubelet_that_starts_anew_hears_of_the_gpus_again(folder: Path, sockets: Path):
    async with serving(folder, sockets):
        for _ in range(2):
            async with kubelet(sockets) as heard:
                await asyncio.wait_for(heard.registered.get(), 10)
