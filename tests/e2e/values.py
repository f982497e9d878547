"""Values that releases are installed with here: real models, and tiny ones that predict at once."""

from tests.e2e.clusters import Json

# As `make images` names them.
IMAGES: Json = {"registry": "localhost", "tag": "1", "pullPolicy": "Never"}
PHOTO = "tests/photos/two_people.jpg"

# Several releases share a small node, so that all ask for less than they would elsewhere.
_LITTLE: Json = {"requests": {"cpu": "20m", "memory": "64Mi"}}

REAL: Json = {
    "image": IMAGES,
    "gateway": {"resources": _LITTLE},
    "modelDefaults": {"resources": _LITTLE},
}


def tiny(*models: str, version: str = "1.0.0", replicas: int = 2) -> Json:
    """Those models with packages that predict in less than a millisecond, and no others."""
    known = ("classifier", "captioner", "detector")
    package = {"source": "image", "image": {"registry": "localhost", "repository": "tiny"}}
    return {
        "image": IMAGES,
        "gateway": {"replicas": replicas, "resources": _LITTLE},
        "modelDefaults": {"resources": _LITTLE, "replicas": replicas},
        "models": {
            name: {"version": version, "package": package} if name in models else {"enabled": False}
            for name in known
        },
    }
