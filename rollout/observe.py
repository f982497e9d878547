"""Looks at a release: its document, its overlay, its pods, and what its gateways have taken."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.release_document import (
    OVERLAY_KEY,
    RELEASE_KEY,
    MalformedDocument,
    Overlay,
    read_overlay,
    read_release,
)
from rollout.api import Api, Json
from rollout.judge.counters import Samples
from rollout.names import COMPONENT, GATEWAY, TRACK, Names
from rollout.observed import Gateway, HelmRevision, Observed, Pods, Release
from rollout.records import NoRelease, Records
from rollout.scrape import RELEASE_INFO, Source, Unread

# A living Helm, which waits for no pods, is done sooner.
_STUCK: Final = 20.0


@dataclass(frozen=True)
class Seen:
    """A look, and the pages of metrics that were read for it."""

    observed: Observed
    pods: tuple[Json, ...]  # the release's, those on their way out left out
    pages: Mapping[str, Samples | Unread]  # by pod
    features: Mapping[str, str]  # of models with a canary


class Observer:
    """Looks at one release, again and again."""

    def __init__(self, api: Api, names: Names, source: Source, records: Records | None) -> None:
        self._api = api
        self._names = names
        self._source = source
        self._records = records
        self._values: tuple[int, bool, int | None] = (0, False, None)
        self._pending: tuple[int, float] = (0, 0.0)

    def look(self) -> Seen:
        """The release now; raises NoRelease."""
        release, features = self._release()
        pods = tuple(
            pod
            for pod in self._api.items(self._names.pods, self._names.selector)
            if "deletionTimestamp" not in pod["metadata"]
        )
        deployments = self._api.items(self._names.deployments, self._names.selector)
        pages = self._source.pages(_readable(pods))
        helm, take, extra = self._helm()
        overlay, overlay_version = self._overlay()
        observed = Observed(
            release=release,
            helm=helm,
            overlay=overlay,
            overlay_version=overlay_version,
            stable=_tracks(deployments, pods, "stable"),
            canary=_tracks(deployments, pods, "canary"),
            gateways=tuple(_gateways(pods, pages)),
            take_from_stable=take,
            max_extra=extra,
        )
        return Seen(observed, pods, pages, features)

    def _release(self) -> tuple[Release, Mapping[str, str]]:
        found = self._api.get(self._names.document)
        if found is None:
            raise NoRelease(f"there is no release {self._names.release} any more")
        document = read_release(found["data"][RELEASE_KEY])
        models = {
            feature: self._names.model_at(one.target) for feature, one in document.canary.items()
        }
        release = Release(
            document=document,
            uid=found["metadata"]["uid"],
            resource_version=found["metadata"]["resourceVersion"],
            canaries={models[name]: one.version for name, one in document.canary.items()},
            stables={models.get(name, name): one.version for name, one in document.stable.items()},
        )
        return release, {model: feature for feature, model in models.items()}

    def _overlay(self) -> tuple[Overlay | None, str]:
        found = self._api.get(f"{self._names.configmaps}/{self._names.overlay}")
        if found is None:
            return None, ""
        version: str = found["metadata"]["resourceVersion"]
        try:
            return read_overlay((found.get("data") or {}).get(OVERLAY_KEY, "")), version
        except MalformedDocument:  # gateways pass it over, too
            return None, version

    def _helm(self) -> tuple[HelmRevision | None, bool, int | None]:
        newest = self._records.newest() if self._records else None
        if self._records is None or newest is None:
            return None, False, None
        number, status = newest
        if self._values[0] != number and not status.startswith("pending"):
            canary = self._records.read(number).values().get("canary") or {}
            self._values = (
                number,
                bool(canary.get("takeFromStable")),
                canary.get("maxExtra"),
            )
        if not status.startswith("pending"):
            self._pending = (0, 0.0)
        elif self._pending[0] != number:
            self._pending = (number, time.monotonic())
        stuck = bool(self._pending[0]) and time.monotonic() - self._pending[1] > _STUCK
        return HelmRevision(number, status, stuck), *self._values[1:]


def _readable(pods: Iterable[Json]) -> list[str]:
    """Running ones: others have no page."""
    return [pod["metadata"]["name"] for pod in pods if pod["status"].get("phase") == "Running"]


def _gateways(pods: Iterable[Json], pages: Mapping[str, Samples | Unread]) -> Iterable[Gateway]:
    for pod in pods:
        name = pod["metadata"]["name"]
        if pod["metadata"]["labels"].get(COMPONENT) != GATEWAY or not _is_ready(pod):
            continue
        page = pages.get(name)
        read = [] if page is None or isinstance(page, Unread) else list(page)
        info = [one for one in read if one.name == RELEASE_INFO]
        if info:
            yield Gateway(name, info[0].label("rollout"), float(info[0].label("weight")))
        else:
            why = str(page) if isinstance(page, Unread) else f"{name}: its metrics name no release"
            yield Gateway(name, problem=why)


def _tracks(deployments: Iterable[Json], pods: Iterable[Json], track: str) -> Mapping[str, Pods]:
    return {
        one["metadata"]["labels"][COMPONENT]: _pods(one, pods)
        for one in deployments
        if one["metadata"]["labels"].get(TRACK) == track
    }


def _pods(deployment: Json, pods: Iterable[Json]) -> Pods:
    status, wanted = deployment["status"], int(deployment["spec"].get("replicas", 1))
    ready = int(status.get("readyReplicas", 0))
    settled = (
        status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == status.get("replicas", 0) == ready == wanted
    )
    selector = deployment["spec"]["selector"]["matchLabels"].items()
    own = [pod for pod in pods if selector <= pod["metadata"]["labels"].items()]
    waiting = next((words for pod in own if (words := _waiting(pod))), "")
    return Pods(wanted, ready, settled, waiting, no_gpu=_lacks_gpu(waiting))


def _lacks_gpu(words: str) -> bool:
    return "Insufficient" in words and ("gpu" in words or "/mig-" in words)


def _waiting(pod: Json) -> str:
    """Why a pod is not ready, in Kubernetes' words; empty if it is, or is merely loading."""
    name, status = pod["metadata"]["name"], pod["status"]
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] != "True":
            return f"{name} is not scheduled: {condition.get('message', '')}".strip()
    for one in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = one.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in ("ContainerCreating", "PodInitializing"):
            return f"{name}: {waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
    return ""


def _is_ready(pod: Json) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
