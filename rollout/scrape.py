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
STARTED: Final = "process_start_time_seconds"
# What is asked of Prometheus; a pod's own page comes whole.
_NAMES: Final = frozenset(
    {
        RELEASE_INFO,
        STARTED,
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
_WORDS: Final = 200  # of an answer that cannot be read

Labels = frozenset[tuple[str, str]]


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
            found = self._asked()
        except (urllib3.exceptions.HTTPError, ValueError) as problem:
            return {pod: Unread(f"Prometheus: {problem}") for pod in pods}
        targets = _targets(found)
        read: dict[str, dict[Series, float]] = {}
        for name, labels, value in found:
            pod = dict(labels).get("pod", "")
            target = targets.get(pod, frozenset())
            if target <= labels:
                own = Series(name, tuple(sorted(labels - target)))
                read.setdefault(pod, {})[own] = value
        return {pod: read.get(pod) or Unread(f"{pod}: Prometheus has no metrics") for pod in pods}

    def _asked(self) -> list[tuple[str, Labels, float]]:
        """Every series' name, labels and value; raises ValueError for an answer that is none."""
        fields = {"query": self._query}
        answer = self._pool.request("GET", self._url, fields=fields, timeout=_SECONDS)
        try:
            told = json.loads(answer.data)
            series = told["data"]["result"]
        except (ValueError, KeyError, TypeError):
            said = answer.data[:_WORDS].decode(errors="replace")
            raise ValueError(f"{self._url} answers {answer.status}: {said}") from None
        return [
            (
                one["metric"]["__name__"],
                frozenset(one["metric"].items()) - {("__name__", one["metric"]["__name__"])},
                float(one["value"][1]),
            )
            for one in series
        ]


def _targets(found: Iterable[tuple[str, Labels, float]]) -> Mapping[str, Labels]:
    """What Prometheus adds to each pod's series: all labels of one that has none of its own.

    A pod that is scraped twice, by two jobs or two replicas of Prometheus, is read once: counted
    twice, chance would look like evidence.
    """
    targets: dict[str, Labels] = {}
    for name, labels, _ in found:
        if name == STARTED:
            pod = dict(labels).get("pod", "")
            # The longer one: the other one's labels may be all among its own.
            targets[pod] = max(targets.get(pod, labels), labels, key=_order)
    return targets


def _order(labels: Labels) -> tuple[int, list[tuple[str, str]]]:
    return len(labels), sorted(labels)


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
