"""The classifier as a process of its own: faces, smiles, glasses."""

import sys

from chassis.compute import ComputePool
from chassis.decoder import decoder
from chassis.server import run
from chassis.settings import ServerSettings, read
from services.app import ModelApp, ServiceKind
from services.classifier.model import Attributes, load
from services.classifier.servicer import ClassifierServicer
from services.classifier.settings import ClassifierSettings
from services.hosting import ModelHost, ModelSettings
from services.manifest import Task
from trilens.v1 import classifier_pb2 as pb
from trilens.v1 import classifier_pb2_grpc as rpc

App = ModelApp[Attributes, pb.ClassificationOptions, pb.Classification]

KIND = ServiceKind(
    name="classifier",
    service=pb.DESCRIPTOR.services_by_name["ClassifierService"].full_name,
    register=rpc.add_ClassifierServiceServicer_to_server,
)


def classifier(settings: ModelSettings, pool: ComputePool) -> App:
    """The app: a model, and the servicer that answers with it."""
    host = ModelHost(settings, load, pool, Task.CLASSIFICATION)
    return ModelApp(KIND, host, ClassifierServicer(host, decoder(pool)), pool)


def main() -> None:
    """Serves until told to stop."""
    server, own = read(ServerSettings, ClassifierSettings, sys.argv[1:])
    run(server, classifier(own, ComputePool(server.slots(), server.lend_after)))


if __name__ == "__main__":
    main()
