"""What every command works with: the cluster, the release, the state, and how they are found."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rollout.api import Api, Json
from rollout.course import Course, Scene
from rollout.gitops import FileHands
from rollout.hands import Hands, HelmHands
from rollout.helm import Helm
from rollout.jury import Jury, probes_of
from rollout.lease import Lease
from rollout.names import Names
from rollout.observe import Observer
from rollout.observed import Observed
from rollout.records import Records
from rollout.scrape import NoPages, PodPages, PrometheusPages, Source
from rollout.sign import Sign
from rollout.state import State
from rollout.store import ConfigMapStore, FileStore, Store


@dataclass(frozen=True)
class Place:
    """Which release, and how it is changed."""

    release: str = "trilens"
    namespace: str | None = None
    context: str | None = None
    gitops: Path | None = None  # the values file to write, instead of calling Helm


class Desk:
    """One release, for one command."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.api = Api.connect(place.context, place.namespace)
        self.names = Names.find(self.api, place.release)
        self.records = Records(self.api, place.release) if place.gitops is None else None
        self.sign = Sign()
        self.helm = Helm(place.release, self.api.namespace, place.context, self.sign)

    @cached_property
    def store(self) -> Store:
        """Where the state is kept."""
        if self.place.gitops:
            return FileStore(self.place.gitops.with_name(f"{self.place.gitops.name}.state.json"))
        return ConfigMapStore(self.api, self.names.state, self._owner())

    @cached_property
    def hands(self) -> Hands:
        """What changes the release."""
        if self.records is None:
            assert self.place.gitops is not None  # noqa: S101  # that is why there are no records
            return FileHands(self.place.gitops)
        return HelmHands(self.api, self.names, self.helm, self.records)

    def observer(self, prometheus: str = "") -> Observer:
        """What looks at the release."""
        source: Source = PodPages(self.api)
        if prometheus:
            source = PrometheusPages(prometheus, self.api.namespace)
        return Observer(self.api, self.names, source, self.records)

    def quick_look(self) -> Observed:
        """The release now; no metrics are read."""
        return Observer(self.api, self.names, NoPages(), self.records).look().observed

    @contextmanager
    def lock(self, patience: float = 0) -> Iterator[Lease | None]:
        """The lock while the block runs; a file has none, since who commits decides."""
        if self.records is None:
            yield None
            return
        lease = Lease(self.api, f"{self.names.full}-rollout", self._owner(), self.sign)
        with lease.held(patience):
            yield lease

    @contextmanager
    def course(
        self, state: State, lease: Lease | None, show: Callable[[Scene], None]
    ) -> Iterator[Course]:
        """The rollout, to be followed while the block runs."""
        jury = Jury(probes_of(state.judging) if state.automatic else None)
        observer = self.observer(state.judging.prometheus)
        try:
            yield Course(observer, self.store, self.hands, jury, lease, show)
        finally:
            jury.close()

    def back(self, before: int | None) -> str:
        """The command that restores a revision without this tool."""
        if self.records is None:
            return "git revert"
        return self.helm.rollback_words(before) if before else "nothing to go back to"

    def _owner(self) -> Json:
        """The release's document, so that what a rollout keeps goes with it."""
        found = self.api.get(self.names.document)
        metadata: Mapping[str, str] = found["metadata"] if found else {}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": metadata.get("name", ""),
            "uid": metadata.get("uid", ""),
        }
