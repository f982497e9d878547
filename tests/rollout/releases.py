"""A release that exists on paper: does what is decided at once, or where a test says so, not."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from gateway.release_document import Overlay, ReleaseDocument
from rollout.actions import (
    Action,
    Clear,
    Enter,
    Rest,
    Rollback,
    Scale,
    Stop,
    Sweep,
    Upgrade,
    Values,
    Wait,
    Weigh,
)
from rollout.decide import decide
from rollout.judge import Outcome, Verdict
from rollout.observed import Gateway, HelmRevision, Observed, Pods, Release
from rollout.state import Phase, State

BEFORE = 4
PASSED = Verdict(Outcome.PASS, "no sign against the canary", (), (), ())
HELD = Verdict(Outcome.HOLD, "waiting for calls", (), (), ())
FAILED = Verdict(Outcome.FAIL, "errors objects failed: too many", (), (), ())


def begun(**changes: object) -> State:
    """A rollout of the detector, from 1.0.0 to 1.1.0."""
    state = State(
        id="r1",
        release="trilens",
        canaries={"detector": "1.1.0"},
        before=BEFORE,
        document=BEFORE,
        full={"detector": 4},
        started=datetime.now(UTC),
        shadow=0.0,
    )
    return replace(state, **changes)


@dataclass
class PaperRelease:
    """Its pods become ready as far as GPUs are there; its gateways take every weight at once."""

    gpus: int = 100
    replicas: int = 4
    take_from_stable: bool = False
    max_extra: int | None = None
    verdict: Verdict | None = PASSED
    revisions: dict[int, tuple[dict[str, str], dict[str, str], float]] = field(default_factory=dict)
    number: int = BEFORE
    status: str = "deployed"
    live: int = BEFORE
    writes: int = 1
    overlay: Overlay | None = None
    stable: int = 4
    canary: int = 0
    seen_weights: list[float] = field(default_factory=list)
    least_stable: int = 4

    def __post_init__(self) -> None:
        self.stable = self.least_stable = self.replicas
        self.revisions[BEFORE] = ({"detector": "1.0.0"}, {}, 0.0)

    def look(self) -> Observed:
        stables, canaries, weight = self.revisions[self.live]
        document = ReleaseDocument.model_validate(
            {
                "schema": 1,
                "revision": self.live,
                "weight": weight,
                "shadow": 0,
                "stable": {"objects": {"version": stables["detector"]}},
                "canary": {"objects": _canary(canaries["detector"])} if canaries else {},
            }
        )
        seen = Observed(
            release=Release(document, "uid", str(self.writes), canaries, stables),
            helm=HelmRevision(self.number, self.status, stuck=self.status != "deployed"),
            overlay=self.overlay,
            overlay_version="1" if self.overlay else "",
            stable={"detector": self._pods(self.stable, self.gpus)},
            canary=self._canary(),
            take_from_stable=self.take_from_stable,
            max_extra=self.max_extra,
            verdict=self.verdict,
        )
        return replace(seen, gateways=(Gateway("one", "r1", seen.weight),))

    def do(self, action: Action) -> None:
        self.seen_weights.append(self.look().weight)
        match action:
            case Upgrade(values=values, weight=weight):
                self._upgrade(values, weight)
            case Rollback(revision=revision):
                # Helm compares with its newest record, whatever became of that.
                known = self.number not in self.revisions or self.revisions[self.number][1]
                kept = 0 if known else self.canary
                self.number, self.status = self.number + 1, "deployed"
                self.revisions[self.number] = self.revisions[revision]
                self._make(revision)
                self.canary = self.canary or kept
                self.overlay = None
            case Scale(track="canary", replicas=replicas):
                self.canary = replicas
            case Scale(replicas=replicas):
                self.stable = replicas
                self.least_stable = min(self.least_stable, replicas)
            case Weigh(weight=weight, shadow=shadow):
                self._lay(weight, shadow)
            case Sweep():
                self.canary = 0
            case Clear():
                self.overlay = None

    def _upgrade(self, values: Values, weight: float) -> None:
        new = {"detector": "1.1.0"}
        made: Mapping[Values, tuple[dict[str, str], dict[str, str], float]] = {
            Values.CANARY: ({"detector": "1.0.0"}, new, weight),
            Values.PROMOTED: (new, new, weight),
            Values.PLAIN: (new, {}, 0.0),
        }
        self.number, self.status = self.number + 1, "deployed"
        self.revisions[self.number] = made[values]
        self._make(self.number)
        if values is Values.CANARY:
            self.canary = 1

    def _make(self, revision: int) -> None:
        self.live, self.writes, self.stable = revision, self.writes + 1, self.replicas
        if not self.revisions[revision][1]:
            self.canary = 0

    def _lay(self, weight: float, shadow: float) -> None:
        self.overlay = Overlay(
            schema_=1,
            rollout="r1",
            uid="uid",
            resource_version=str(self.writes),
            weight=weight,
            shadow=shadow,
        )

    def _canary(self) -> Mapping[str, Pods]:
        if not self.canary:
            return {}
        return {"detector": self._pods(self.canary, self.gpus - self.stable)}

    @staticmethod
    def _pods(wanted: int, gpus: int) -> Pods:
        ready = max(0, min(wanted, gpus))
        waiting = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu" if ready < wanted else ""
        return Pods(wanted, ready, ready == wanted, waiting, no_gpu=bool(waiting))


def _canary(version: str) -> dict[str, str]:
    return {"version": version, "target": "dns:///trilens-detector-canary:50051"}


def go(state: State, release: PaperRelease, actions: int = 100) -> tuple[State, list[Action]]:
    """Follows decisions until it rests, stops, or waits; what it decided on the way, too."""
    decided: list[Action] = []
    for _ in range(actions):
        action = decide(state, release.look())
        decided.append(action)
        match action:
            case Rest() | Stop() | Wait():
                return state, decided
            case Enter(state=entered):
                state = entered
            case _:
                release.do(action)
    if actions == 100:
        raise AssertionError(f"goes on for ever: {decided[-6:]}")
    return state, decided


def over(state: State) -> Phase:
    assert state.over
    return state.phase
