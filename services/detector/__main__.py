"""The detector as a process of its own: finds objects and where they are."""

import sys

from chassis.compute import ComputePool
from chassis.decoder import decoder
from chassis.server import run
from chassis.settings import ServerSettings, read
from services.app import ModelApp, ServiceKind
from services.detector.model import Detections, load
from services.detector.servicer import DetectorServicer
from services.detector.settings import DetectorSettings
from services.hosting import ModelHost, ModelSettings
from services.manifest import Task
from trilens.v1 import detector_pb2 as pb
from trilens.v1 import detector_pb2_grpc as rpc

App = ModelApp[Detections, pb.DetectionOptions, pb.Detection]

KIND = ServiceKind(
    name="detector",
    service=pb.DESCRIPTOR.services_by_name["DetectorService"].full_name,
    register=rpc.add_DetectorServiceServicer_to_server,
)


def detector(settings: ModelSettings, pool: ComputePool) -> App:
    """The app: a model, and the servicer that answers with it."""
    host = ModelHost(settings, load, pool, Task.DETECTION)
    return ModelApp(KIND, host, DetectorServicer(host, decoder(pool)), pool)


def main() -> None:
    """Serves until told to stop."""
    server, own = read(ServerSettings, DetectorSettings, sys.argv[1:])
    run(server, detector(own, ComputePool(server.slots(), server.lend_after)))


if __name__ == "__main__":
    main()
