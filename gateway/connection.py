"""Connection: a channel to one service, and how a service of its task is asked."""

import json
from typing import Final, TypeAlias

import grpc

from chassis.call import Call
from chassis.images import Pixels
from chassis.options import Options
from gateway.outcomes import Answered
from gateway.tasks import Task
from trilens import channel
from trilens.v1 import image_pb2, model_pb2, model_pb2_grpc

Metadata: TypeAlias = tuple[tuple[str, str], ...]

# A retry is for meeting another replica than the one that just left. Where there is none, the
# feature's failure should be known at once: the others' answer waits for it.
_SERVICE_CONFIG: Final = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.02s",
                    "maxBackoff": "0.1s",
                    "backoffMultiplier": 3,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
        "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
    }
)
_CHANNEL_OPTIONS: Final = tuple(
    {
        **dict(channel.options()),
        "grpc.service_config": _SERVICE_CONFIG,
        # A service that restarts is back within a second or two of its port being open again.
        "grpc.initial_reconnect_backoff_ms": 200,
        "grpc.max_reconnect_backoff_ms": 2_000,
        # Of several replicas, one that is frozen or vanished is asked for this long at most.
        "grpc.keepalive_time_ms": 10_000,
        "grpc.keepalive_timeout_ms": 5_000,
    }.items()
)


class Connection:
    """A channel to a service of that task; made where the event loop runs, as gRPC requires."""

    def __init__(self, task: Task, target: str) -> None:
        self._task = task
        self._channel = grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS)
        self._ask = getattr(task.stub(self._channel), task.method)
        self._models = model_pb2_grpc.ModelServiceStub(self._channel)

    async def ask(self, pixels: Pixels, options: Options, call: Call) -> Answered:
        """The service's answer; raises AioRpcError."""
        request = self._task.request(image=_message(pixels), options=options)
        response = await self._ask(request, timeout=call.deadline.left(), metadata=call.metadata())
        return Answered(getattr(response, self._task.name), response.model, response.timings)

    async def model(self, metadata: Metadata, seconds: float) -> model_pb2.Model:
        """The service's model; raises AioRpcError."""
        answer: model_pb2.GetModelResponse = await self._models.GetModel(
            model_pb2.GetModelRequest(), timeout=seconds, metadata=metadata
        )
        return answer.model

    async def close(self) -> None:
        """Ends the connection; calls under way are cancelled."""
        await self._channel.close()


def _message(pixels: Pixels) -> image_pb2.Image:
    return image_pb2.Image(
        pixels=image_pb2.PixelBuffer(
            width=pixels.width, height=pixels.height, rgb=pixels.array.tobytes()
        )
    )
