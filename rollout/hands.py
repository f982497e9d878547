"""What changes the cluster: Helm, the overlay, and a track's number of pods."""

from typing import Final, Protocol

from gateway.release_document import OVERLAY_KEY, Overlay
from rollout import values
from rollout.actions import Action, Clear, Rollback, Scale, Sweep, Upgrade, Values, Weigh
from rollout.api import Api, Json
from rollout.helm import Helm
from rollout.names import TRACK, Names
from rollout.observed import Observed
from rollout.records import Records
from rollout.scale import scale
from rollout.state import State

_ALL: Final = 100


class Hands(Protocol):
    """Does what was decided."""

    def do(self, action: Action, state: State, seen: Observed) -> bool:
        """Does it; False if it was done before, and its effect is not seen yet."""
        ...


class HelmHands:
    """By Helm and the API server."""

    def __init__(self, api: Api, names: Names, helm: Helm, records: Records) -> None:
        self._api = api
        self._names = names
        self._helm = helm
        self._records = records

    def do(self, action: Action, state: State, seen: Observed) -> bool:
        """Does it; False if it was done before, and its effect is not seen yet."""
        match action:
            case Upgrade():
                live = self._records.live()
                self._helm.upgrade(live, changed(live.config, action, state), state.chart)
            case Rollback(revision=revision):
                self._helm.rollback(revision)
            case Scale(model=model, track=track, replicas=replicas):
                deployment = self._names.track(model, track)
                live = self._records.live()
                return scale(self._api, self._names, live, deployment, replicas)
            case Weigh():
                self.weigh(action, state, seen)
            case Sweep():
                self._sweep(state)
            case Clear():
                self._api.delete(f"{self._names.configmaps}/{self._names.overlay}")
        return True

    def weigh(self, action: Weigh, state: State, seen: Observed) -> None:
        """Lays an overlay; raises Conflict if somebody else did since the release was looked at."""
        overlay = Overlay(
            schema_=1,
            rollout=state.id,
            uid=seen.release.uid,
            resource_version=seen.release.resource_version,
            weight=action.weight,
            shadow=action.shadow,
        )
        metadata: Json = {
            "name": self._names.overlay,
            "labels": {"app.kubernetes.io/instance": self._names.release},
        }
        content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        content["data"] = {OVERLAY_KEY: overlay.json_text()}
        if not seen.overlay_version:
            self._api.create(self._names.configmaps, content)
            return
        metadata["resourceVersion"] = seen.overlay_version
        self._api.replace(f"{self._names.configmaps}/{self._names.overlay}", content)

    def _sweep(self, state: State) -> None:
        live = [self._names.object(one) for one in self._records.live().objects()]
        for record in self._records.after(state.before):
            for content in record.objects():
                labels = content["metadata"].get("labels") or {}
                path = self._names.object(content)
                if labels.get(TRACK) == "canary" and path not in live:
                    self._api.delete(path)


def changed(config: Json, action: Upgrade, state: State) -> Json:
    """The operator's values, as this upgrade is to have them."""
    match action.values:
        case Values.CANARY:
            shadow = state.shadow if 0 < action.weight < _ALL else 0
            return values.with_canary(config, state.canaries, state.values, action.weight, shadow)
        case Values.PROMOTED:
            return values.promoted(config, state.canaries, action.weight)
        case Values.PLAIN:
            return values.plain(config, state.canaries)
