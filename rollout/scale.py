"""A track's number of pods: Helm's own manifest, applied in Helm's name with another number.

What is written in another name, Helm would refuse to overwrite: the next `helm upgrade`, and the
rollback that is to save the day, would fail with a conflict.
"""

from copy import deepcopy
from typing import Final

from rollout.api import Api, Json
from rollout.names import Names
from rollout.records import Record, Unusable

_HELM: Final = "helm"


def scale(api: Api, names: Names, record: Record, deployment: str, replicas: int) -> bool:
    """Sets the number; False if it is set already, and only to be followed yet."""
    rendered = record.object("Deployment", deployment)
    if rendered is None:
        raise Unusable(f"revision {record.revision} has no Deployment {deployment}")
    if "replicas" in rendered["spec"]:
        return _apply(api, names, rendered, {"replicas": replicas})
    for kind, least, most in (
        ("ScaledObject", "minReplicaCount", "maxReplicaCount"),
        ("HorizontalPodAutoscaler", "minReplicas", "maxReplicas"),
    ):
        scaler = record.object(kind, deployment)
        if scaler:
            ceiling = max(replicas, scaler["spec"].get(most, replicas))
            return _apply(api, names, scaler, {least: replicas, most: ceiling})
    raise Unusable(f"nothing in revision {record.revision} says how many pods {deployment} has")


def _apply(api: Api, names: Names, rendered: Json, spec: Json) -> bool:
    content = deepcopy(rendered)
    content["spec"].update(spec)
    metadata = content["metadata"]
    # What Helm adds to each object; left out, it would count as taken away.
    metadata.setdefault("labels", {})["app.kubernetes.io/managed-by"] = "Helm"
    metadata.setdefault("annotations", {}).update(
        {
            "meta.helm.sh/release-name": names.release,
            "meta.helm.sh/release-namespace": names.namespace,
        }
    )
    path = names.object(content)
    live = api.get(path)
    if live and spec.items() <= live["spec"].items():
        return False
    api.apply(path, content, _HELM)
    return True
