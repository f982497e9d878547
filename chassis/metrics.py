"""Metrics: every name, label and bucket in one table, and the page that Prometheus reads.

Label values come from small, fixed sets: methods, stages, codes, and the features and model
versions of this process. Nothing that a caller sends becomes a label.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)

# When each series began, as a series of its own: twice as many, and nothing here reads them.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

# Who predicts: the model, its version, and the track of a release that this process serves.
MODEL_LABELS: Final = ("model", "version", "track")

_SECONDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75),
    *(1.0, 2.0, 5.0, 10.0, 30.0),
)
_BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32, 64)

# Every process.
BUILD: Final = Gauge(
    "trilens_build_info",
    "1, by the release of the code.",
    ("service", "version"),
    registry=REGISTRY,
)
READY: Final = Gauge("trilens_ready", "Whether work is asked for: 0 or 1.", registry=REGISTRY)
RPC_SECONDS: Final = Histogram(
    "trilens_rpc_seconds",
    "Seconds from a call's arrival to its end, by gRPC code.",
    ("method", "code"),
    buckets=_SECONDS,
    registry=REGISTRY,
)
RPC_IN_FLIGHT: Final = Gauge(
    "trilens_rpc_in_flight", "Calls that have come and not ended.", ("method",), registry=REGISTRY
)
STAGE_SECONDS: Final = Histogram(
    "trilens_stage_seconds",
    "Seconds of a call's stages: admit, decode, feature, explain, merge, shadow; item: of a batch.",
    ("stage",),
    buckets=_SECONDS,
    registry=REGISTRY,
)

# The gateway.
FEATURE_SECONDS: Final = Histogram(
    "trilens_feature_seconds",
    "Seconds from fan-out to a feature's outcome; version is empty where no model answered.",
    ("feature", "version", "lane", "outcome"),
    buckets=_SECONDS,
    registry=REGISTRY,
)
ANSWERS: Final = Counter(
    "trilens_answers_total",
    "Photos by their end: full, partial, failed; shed or late before any model was asked.",
    ("completeness", "lane"),
    registry=REGISTRY,
)

RETRIES: Final = Counter(
    "trilens_retries_total",
    "Photos asked once more, mostly of another pod, since one had gone: callers notice nothing.",
    ("feature", "track"),
    registry=REGISTRY,
)
GATEWAY_QUEUE_DEPTH: Final = Gauge(
    "trilens_gateway_queue_depth",
    "Photos that wait for a place in the gateway; no model has heard of them.",
    registry=None,  # a service that said 0 would speak of what it does not have: see tell()
)

# The gateway's release. Versions are those of the packages that the release names.
RELEASE: Final = Gauge(
    "trilens_release_info",
    "1, by what counts now: Helm's revision, the rollout laid over it, percents, canary versions.",
    ("revision", "rollout", "weight", "shadow", "canary"),
    registry=REGISTRY,
)
CANARY_USABLE: Final = Gauge(
    "trilens_canary_usable",
    "Whether every canary of the release has a ready pod of its version: 0 or 1.",
    registry=None,  # as above
)
RELEASE_PROBLEM: Final = Gauge(
    "trilens_release_problem",
    "1 while a document is missing, malformed or unreachable: the last good one counts.",
    ("document", "problem"),
    registry=REGISTRY,
)
SHADOWS: Final = Counter(
    "trilens_shadow_total",
    "Stable answers to compare with a canary's: compared, failed, timed_out, or dropped when busy.",
    ("feature", "outcome"),
    registry=REGISTRY,
)
AGREEMENT: Final = Counter(
    "trilens_agreement_total",
    "Copied photos by whether stable and canary agreed on an aspect of their answers.",
    ("feature", "stable_version", "canary_version", "aspect", "outcome"),
    registry=REGISTRY,
)

# A hosted model.
MODEL: Final = Gauge(
    "trilens_model_info",
    "1, by the model that is loaded.",
    (*MODEL_LABELS, "feature", "digest", "runtime", "threshold_set"),
    registry=REGISTRY,
)
QUEUE_DEPTH: Final = Gauge(
    "trilens_queue_depth", "Photos that wait for the model.", MODEL_LABELS, registry=REGISTRY
)
QUEUE_BACKLOG: Final = Gauge(
    "trilens_queue_backlog_seconds",
    "Seconds that the photos in line will take here; the signal to scale by.",
    MODEL_LABELS,
    registry=REGISTRY,
)
IN_FLIGHT: Final = Gauge(
    "trilens_in_flight",
    "Photos that wait for the model or are predicted.",
    MODEL_LABELS,
    registry=REGISTRY,
)
QUEUE_SECONDS: Final = Histogram(
    "trilens_queue_seconds",
    "Seconds a photo waited before its batch began.",
    MODEL_LABELS,
    buckets=_SECONDS,
    registry=REGISTRY,
)
INFER_SECONDS: Final = Histogram(
    "trilens_infer_seconds",
    "Seconds a batch took: preparation, network and interpretation.",
    MODEL_LABELS,
    buckets=_SECONDS,
    registry=REGISTRY,
)
BATCH_SIZE: Final = Histogram(
    "trilens_batch_size",
    "Photos in a batch.",
    MODEL_LABELS,
    buckets=_BATCH_SIZES,
    registry=REGISTRY,
)
DEVICE_ERRORS: Final = Counter(
    "trilens_device_errors_total",
    "Batches that the accelerator failed on, whatever was in them.",
    MODEL_LABELS,
    registry=REGISTRY,
)
DEVICE_LOST: Final = Gauge(
    "trilens_device_lost",
    "1 once the accelerator has failed again and again: the pod has to be deleted.",
    MODEL_LABELS,
    registry=REGISTRY,
)
PREDICTIONS: Final = Counter(
    "trilens_predictions_total",
    "Photos by what became of them: ok, failed, shed, late, cancelled.",
    (*MODEL_LABELS, "outcome"),
    registry=REGISTRY,
)


def tell(gauge: Gauge, figure: Callable[[], float]) -> None:
    """Puts a gauge that only some processes have on this one's page; asked at every reading."""
    gauge.set_function(figure)
    with suppress(ValueError):  # it is there: a process of tests has had a gateway before
        REGISTRY.register(gauge)


class MetricsPage:
    """GET /metrics on a port and thread of its own: it answers while the event loop is busy."""

    def __init__(self, host: str, port: int) -> None:
        """Raises OSError if it cannot have the port."""
        self._server: WSGIServer
        self._thread: threading.Thread
        self._server, self._thread = start_http_server(port, host, REGISTRY)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_port)

    def close(self) -> None:
        """Answers nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
