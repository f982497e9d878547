"""How a release's objects are called, and where the API server has them."""

from dataclasses import dataclass
from typing import Final

from rollout.api import Api, Json
from rollout.records import NoRelease

TRACK: Final = "trilens.dev/track"
COMPONENT: Final = "app.kubernetes.io/component"
INSTANCE: Final = "app.kubernetes.io/instance"
GATEWAY: Final = "gateway"

_RELEASE: Final = "-release"


@dataclass(frozen=True)
class Names:
    """Those of one release."""

    release: str
    namespace: str
    full: str  # what its objects' names begin with

    @classmethod
    def find(cls, api: Api, release: str) -> "Names":
        """By the labels of its release document; raises NoRelease."""
        path = f"/api/v1/namespaces/{api.namespace}/configmaps"
        for metadata in api.names(path, f"{INSTANCE}={release}"):
            if metadata["name"].endswith(_RELEASE):
                return cls(release, api.namespace, metadata["name"].removesuffix(_RELEASE))
        raise NoRelease(f"there is no release {release} in namespace {api.namespace}")

    @property
    def selector(self) -> str:
        """The labels of all its objects."""
        return f"{INSTANCE}={self.release}"

    @property
    def configmaps(self) -> str:
        """The path of ConfigMaps."""
        return f"/api/v1/namespaces/{self.namespace}/configmaps"

    @property
    def document_name(self) -> str:
        """The name of the release document's ConfigMap."""
        return f"{self.full}{_RELEASE}"

    @property
    def document(self) -> str:
        """The path of the release document's ConfigMap."""
        return f"{self.configmaps}/{self.document_name}"

    @property
    def overlay(self) -> str:
        """The name of the overlay's ConfigMap."""
        return f"{self.full}-rollout"

    @property
    def state(self) -> str:
        """The name of the state's ConfigMap."""
        return f"{self.full}-rollout-state"

    @property
    def deployments(self) -> str:
        """The path of Deployments."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments"

    @property
    def pods(self) -> str:
        """The path of pods."""
        return f"/api/v1/namespaces/{self.namespace}/pods"

    def track(self, model: str, track: str) -> str:
        """The name of a track's Deployment."""
        return f"{self.full}-{model}" + ("-canary" if track == "canary" else "")

    def object(self, content: Json) -> str:
        """The path of an object as Helm rendered it."""
        group = content["apiVersion"]
        root = f"/apis/{group}" if "/" in group else f"/api/{group}"
        kind, name = content["kind"].lower(), content["metadata"]["name"]
        plural = f"{kind.removesuffix('y')}ies" if kind.endswith("y") else f"{kind}s"
        return f"{root}/namespaces/{self.namespace}/{plural}/{name}"

    def model_at(self, target: str) -> str:
        """The model whose canary Service a target names, such as dns:///F-detector-canary:50051."""
        host = target.rpartition("/")[2].partition(":")[0].partition(".")[0]
        return host.removeprefix(f"{self.full}-").removesuffix("-canary")
