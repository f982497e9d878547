"""The Trilens client; servers import only its generated `trilens.v1`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trilens.aio import AsyncClient
    from trilens.client import Client
    from trilens.errors import Explanation, FeatureEnd, Violation, explain
    from trilens.results import Analyzed
    from trilens.v1.analysis_pb2 import AnalyzeImageResponse, FeatureRequest
    from trilens.v1.captioner_pb2 import CaptionOptions
    from trilens.v1.classifier_pb2 import ClassificationOptions
    from trilens.v1.detector_pb2 import DetectionOptions
    from trilens.v1.explanation_pb2 import ExplainFaces

__version__ = "0.1.0"
__all__ = [
    "AnalyzeImageResponse",
    "Analyzed",
    "AsyncClient",
    "CaptionOptions",
    "ClassificationOptions",
    "Client",
    "DetectionOptions",
    "ExplainFaces",
    "Explanation",
    "FeatureEnd",
    "FeatureRequest",
    "Violation",
    "explain",
]

_HOMES = {
    "Analyzed": "trilens.results",
    "AnalyzeImageResponse": "trilens.v1.analysis_pb2",
    "AsyncClient": "trilens.aio",
    "CaptionOptions": "trilens.v1.captioner_pb2",
    "ClassificationOptions": "trilens.v1.classifier_pb2",
    "Client": "trilens.client",
    "DetectionOptions": "trilens.v1.detector_pb2",
    "ExplainFaces": "trilens.v1.explanation_pb2",
    "Explanation": "trilens.errors",
    "FeatureEnd": "trilens.errors",
    "FeatureRequest": "trilens.v1.analysis_pb2",
    "Violation": "trilens.errors",
    "explain": "trilens.errors",
}


def __getattr__(name: str) -> Any:
    # Imported at first use: a server that needs only `trilens.v1` loads no client.
    if name not in _HOMES:
        raise AttributeError(f"module 'trilens' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
