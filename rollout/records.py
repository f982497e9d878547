"""What Helm recorded of a release: revisions, and of each the chart, values and manifest."""

import base64
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from rollout.api import Api, Json

DEPLOYED: Final = "deployed"


class NoRelease(Exception):
    """Helm knows no such release here."""


class Unusable(Exception):
    """A record that cannot be used as it is; the text says why."""


@dataclass(frozen=True)
class Record:
    """One revision."""

    revision: int
    status: str
    config: Json  # the operator's own values
    chart: Json
    manifest: str

    @property
    def canaries(self) -> dict[str, str]:
        """Versions of the canaries that the values name, by model."""
        models = self.values().get("models", {})
        blocks = {name: (model or {}).get("canary") or {} for name, model in models.items()}
        return {name: str(one["version"]) for name, one in blocks.items() if one.get("version")}

    def values(self) -> Json:
        """The chart's values with the operator's laid over them."""
        values: Json = laid_over(self.chart.get("values") or {}, self.config)
        return values

    def object(self, kind: str, name: str) -> Json | None:
        """An object as Helm rendered it."""
        for content in self.objects():
            if (content["kind"], content["metadata"]["name"]) == (kind, name):
                return content
        return None

    def objects(self) -> Iterator[Json]:
        """All objects, as Helm rendered them."""
        return filter(None, yaml.load_all(self.manifest, Loader=yaml.CSafeLoader))


class Records:
    """Those of one release."""

    def __init__(self, api: Api, release: str) -> None:
        self._api = api
        self._release = release
        self._path = f"/api/v1/namespaces/{api.namespace}/secrets"

    def newest(self) -> tuple[int, str] | None:
        """The newest revision's number and status; contents are not read."""
        return max(self._known(), default=None)

    def read(self, revision: int) -> Record:
        """A revision; raises NoRelease."""
        found = self._api.get(f"{self._path}/sh.helm.release.v1.{self._release}.v{revision}")
        if found is None:
            raise NoRelease(f"Helm has no revision {revision} of {self._release}")
        packed = base64.b64decode(base64.b64decode(found["data"]["release"]))
        content = json.loads(gzip.decompress(packed))
        return Record(
            revision=revision,
            status=content["info"]["status"],
            config=content.get("config") or {},
            chart=content["chart"],
            manifest=content["manifest"],
        )

    def live(self) -> Record:
        """The newest revision that is deployed; raises NoRelease."""
        deployed = [number for number, status in self._known() if status == DEPLOYED]
        if not deployed:
            raise NoRelease(
                f"Helm has no release {self._release} in namespace {self._api.namespace}"
            )
        return self.read(max(deployed))

    def after(self, revision: int) -> Iterator[Record]:
        """The revisions after that one, whatever became of them."""
        for number, _ in sorted(self._known()):
            if number > revision:
                yield self.read(number)

    def before_canary(self, newest: int) -> int | None:
        """The newest good revision up to that one that had no canary."""
        good = [
            number
            for number, status in self._known()
            if status in (DEPLOYED, "superseded") and number <= newest
        ]
        for number in sorted(good, reverse=True):
            if not self.read(number).canaries:
                return number
        return None

    def _known(self) -> Iterator[tuple[int, str]]:
        for metadata in self._api.names(self._path, f"owner=helm,name={self._release}"):
            labels = metadata["labels"]
            yield int(labels["version"]), labels["status"]


def laid_over(under: Any, over: Any) -> Any:
    """Helm's way to merge values: maps level by level, null takes a key away."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    merged = {name: laid_over(under.get(name), value) for name, value in over.items()}
    kept = {name: value for name, value in under.items() if name not in over}
    return {name: value for name, value in {**kept, **merged}.items() if value is not None}
