"""ModelApp: one hosted model as a process of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from chassis.call import Call
from chassis.compute import ComputePool
from chassis.doors import Context, Server
from chassis.images import Pixels
from services.answers import Answer, describe
from services.hosting import ModelHost
from trilens.v1 import model_pb2 as pb
from trilens.v1 import model_pb2_grpc as rpc

P = TypeVar("P")
Options = TypeVar("Options")
R = TypeVar("R")
Options_contra = TypeVar("Options_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class ServiceKind:
    """What tells the three services apart for a server."""

    name: str  # the process's, such as "detector"
    service: str  # full name of its gRPC service
    register: Callable[[Any, Server], None]  # generated: adds the servicer to a server


class Answering(Protocol[Options_contra, R]):
    """A servicer, as a gateway in the same process calls it."""

    async def answer(self, pixels: Pixels, options: Options_contra, call: Call) -> Answer[R]:
        """The answer for pixels that are at hand."""


class ModelServicer(rpc.ModelServiceServicer):
    """ModelService: tells which model is hosted here."""

    def __init__(self, host: ModelHost[Any]) -> None:
        self._host = host
        self._told: pb.Model | None = None

    async def GetModel(self, _: pb.GetModelRequest, __: Context) -> pb.GetModelResponse:  # noqa: N802
        """The model; NotReady, with the reason, until it is loaded."""
        return pb.GetModelResponse(model=self.model())

    def model(self) -> pb.Model:
        """The same for a gateway in this process."""
        package = self._host.package
        if self._told is None:
            host = self._host
            self._told = describe(
                package, host.sets, host.max_side, host.runtime, host.explanation_method
            )
        return self._told


class ModelApp(Generic[P, Options, R]):
    """A hosted model with its servicers: served by chassis.server.run, or called directly."""

    def __init__(
        self,
        kind: ServiceKind,
        host: ModelHost[P],
        servicer: Answering[Options, R],
        pool: ComputePool,
    ) -> None:
        self.name = kind.name
        self.services = (kind.service, pb.DESCRIPTOR.services_by_name["ModelService"].full_name)
        self._servicer = servicer
        self._description = ModelServicer(host)
        self._kind = kind
        self._host = host
        self._pool = pool

    def register(self, server: Server) -> None:
        """Adds the model's own service and ModelService."""
        self._kind.register(self._servicer, server)
        rpc.add_ModelServiceServicer_to_server(self._description, server)

    def register_inside(self, _: Server) -> None:
        """Adds nothing."""

    async def start(self) -> bool:
        """Loads the model."""
        return await self._host.start()

    def trouble(self, hang_after: float) -> str:
        """Why the model should get no photos; "" if it may."""
        return self._host.trouble(hang_after)

    async def stop(self) -> None:
        """Closes the model, then the pool."""
        await self._host.stop()
        self._pool.close()

    def model(self) -> pb.Model:
        """The loaded model; raises NotReady until there is one."""
        return self._description.model()

    async def answer(self, pixels: Pixels, options: Options, call: Call) -> Answer[R]:
        """The servicer's answer, with no socket between."""
        return await self._servicer.answer(pixels, options, call)
