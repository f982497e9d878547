"""The captioner as a process of its own: writes a sentence about a photo."""

import sys

from chassis.compute import ComputePool
from chassis.decoder import decoder
from chassis.server import run
from chassis.settings import ServerSettings, read
from services.app import ModelApp, ServiceKind
from services.captioner.model import Captions, load
from services.captioner.servicer import CaptionerServicer
from services.captioner.settings import CaptionerSettings
from services.hosting import ModelHost, ModelSettings
from services.manifest import Task
from trilens.v1 import captioner_pb2 as pb
from trilens.v1 import captioner_pb2_grpc as rpc

App = ModelApp[Captions, pb.CaptionOptions, pb.Caption]

KIND = ServiceKind(
    name="captioner",
    service=pb.DESCRIPTOR.services_by_name["CaptionerService"].full_name,
    register=rpc.add_CaptionerServiceServicer_to_server,
)


def captioner(settings: ModelSettings, pool: ComputePool) -> App:
    """The app: a model, and the servicer that answers with it."""
    host = ModelHost(settings, load, pool, Task.CAPTION)
    return ModelApp(KIND, host, CaptionerServicer(host, decoder(pool)), pool)


def main() -> None:
    """Serves until told to stop."""
    server, own = read(ServerSettings, CaptionerSettings, sys.argv[1:])
    run(server, captioner(own, ComputePool(server.slots(), server.lend_after)))


if __name__ == "__main__":
    main()
