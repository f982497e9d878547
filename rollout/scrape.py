"""Pages of metrics: of every pod through the API server, or all of them from Prometheus."""

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

import urllib3

from rollout.api import Api, Json, Problem
from rollout.judge.counters import Samples, Scrape, Series, read_samples
from rollout.names import COMPONENT, GATEWAY, TRACK

PORT: Final = 9090
RELEASE_INFO: Final = "trilens_release_info"
# What is asked of Prometheus; a pod's own page comes whole.
_NAMES: Final = frozenset(
    {
        RELEASE_INFO,
        "process_start_time_seconds",
        "trilens_rpc_seconds_count",
        "trilens_feature_seconds_count",
        "trilens_feature_seconds_bucket",
        "trilens_answers_total",
        "trilens_agreement_total",
    }
)

_PROXY: Final = "error trying to reach service: "
_AT_ONCE: Final = 8
_SECONDS: Final = 10.0


class Unread(Exception):
    """A page could not be read; the text says why."""


class Source(Protocol):
    """Where pages come from."""

    def pages(self, pods: Iterable[str]) -> Mapping[str, "Samples | Unread"]:
        """The page of each pod."""
        ...


class NoPages:
    """None, for who asks about the rest."""

    def pages(self, pods: Iterable[str]) -> Mapping[str, "Samples | Unread"]:
        """The page of each pod."""
        return {pod: Unread("not asked for") for pod in pods}


class PodPages:
    """Every pod's own page, through the API server's proxy: no Prometheus is needed."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def pages(self, pods: Iterable[str]) -> Mapping[str, "Samples | Unread"]:
        """The page of each pod."""
        names = tuple(pods)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return dict(zip(names, threads.map(self._page, names), strict=True))

    def _page(self, pod: str) -> "Samples | Unread":
        path = f"/api/v1/namespaces/{self._api.namespace}/pods/{pod}:{PORT}/proxy/metrics"
        try:
            return read_samples(self._api.text(path))
        except Problem as problem:
            return Unread(f"{pod}: {problem.said.removeprefix(_PROXY)}")
        except ValueError as problem:
            return Unread(f"{pod}: {problem}")


class PrometheusPages:
    """What Prometheus has last scraped of the pods."""

    def __init__(self, url: str, namespace: str) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/query"
        self._query = f'{{__name__=~"{"|".join(sorted(_NAMES))}",namespace="{namespace}"}}'
        self._pool = urllib3.PoolManager()

    def pages(self, pods: Iterable[str]) -> Mapping[str, "Samples | Unread"]:
        """The page of each pod."""
        try:
            fields = {"query": self._query}
            answer = self._pool.request("GET", self._url, fields=fields, timeout=_SECONDS)
            found = json.loads(answer.data)["data"]["result"]
        except (urllib3.exceptions.HTTPError, ValueError, KeyError) as problem:
            return {pod: Unread(f"Prometheus: {problem}") for pod in pods}
        read: dict[str, dict[Series, float]] = {}
        for one in found:
            labels = dict(one["metric"])
            page = read.setdefault(labels.get("pod", ""), {})
            name = labels.pop("__name__")
            page[Series(name, tuple(sorted(labels.items())))] = float(one["value"][1])
        return {pod: read.get(pod) or Unread(f"{pod}: Prometheus has no metrics") for pod in pods}


def scrapes(
    pods: Iterable[Json], pages: "Mapping[str, Samples | Unread]", features: Mapping[str, str]
) -> tuple[list[Scrape], list[str]]:
    """What the judge reads, and what could not be read; `features` are those of the models."""
    read, unread = [], []
    for pod in pods:
        component = pod["metadata"]["labels"].get(COMPONENT, "")
        page = pages.get(pod["metadata"]["name"])
        if page is None or component not in (GATEWAY, *features):
            continue
        if isinstance(page, Unread):
            unread.append(f"{page}")
            continue
        labels = {}
        if component != GATEWAY:
            track = pod["metadata"]["labels"].get(TRACK, "")
            labels = {"track": track, "feature": features[component]}
        read.append(Scrape(_source(pod), page, labels))
    return read, unread


def _source(pod: Json) -> str:
    """A pod's present process: a container that began anew counts from 0."""
    restarts = sum(one["restartCount"] for one in pod["status"].get("containerStatuses", ()))
    return f"{pod['metadata']['uid']}/{restarts}"
