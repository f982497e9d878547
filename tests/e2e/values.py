"""Values that releases are installed with here: real models, and tiny ones that predict at once."""

import os

from tests.e2e.clusters import Json

_REGISTRY = os.environ.get("E2E_REGISTRY", "")
# What `make images` makes: the version is the chart's, whose tags need not be named.
IMAGES: Json = (
    {"registry": _REGISTRY} if _REGISTRY else {"registry": "localhost", "pullPolicy": "Never"}
)
# The models' images, with every tiny package in them.
_WITH_TINY: Json = {"tag": "0.1.0-tiny"}
# This machine may be busy with other things for seconds: calls wait then, and are not refused.
_PATIENT: Json = {"max_waiting": 2000}
PHOTO = "tests/photos/two_people.jpg"
MODELS = ("classifier", "captioner", "detector")

# Several releases share a small node, so that all ask for less than they would elsewhere.
_LITTLE: Json = {"requests": {"cpu": "20m", "memory": "64Mi"}}

REAL: Json = {
    "image": IMAGES,
    "gateway": {"resources": _LITTLE},
    "modelDefaults": {"resources": _LITTLE},
}


def tiny(*models: str, version: str = "1.0.0", replicas: int = 2) -> Json:
    """Those models with packages that predict in less than a millisecond, and no others."""
    return {
        "image": IMAGES,
        "gateway": {"replicas": replicas, "resources": _LITTLE, "settings": _PATIENT},
        "modelDefaults": {
            "replicas": replicas,
            "image": _WITH_TINY,
            "resources": _LITTLE,
            "settings": _PATIENT,
        },
        "models": {
            name: {"version": version} if name in models else {"enabled": False} for name in MODELS
        },
    }
