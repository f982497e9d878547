"""gRPC's own types at the doors; they are generic for the type checker only."""

from typing import Any, TypeAlias

import grpc

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Server: TypeAlias = grpc.aio.Server
