"""Waits for a server's `ready`, on a stream that tells at once."""

import grpc
from grpc_health.v1 import health_pb2 as pb
from grpc_health.v1 import health_pb2_grpc as rpc


async def wait_until_ready(target: str) -> None:
    """Returns once the server at the target asks for work."""
    async with grpc.aio.insecure_channel(target) as channel:
        watch = rpc.HealthStub(channel).Watch(pb.HealthCheckRequest(service="ready"))
        async for answer in watch:
            if answer.status == pb.HealthCheckResponse.SERVING:
                watch.cancel()
                return
