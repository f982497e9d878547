"""A rollout's state: all that has to be known to go on after a kill."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

STEPS: Final = (5, 25, 50, 100)

_LINES: Final = 60


class Phase(StrEnum):
    """How far a rollout is."""

    STARTING = "starting"  # Helm is to install the canary
    STEPPING = "stepping"  # weights go up, step by step
    PROMOTING = "promoting"  # Helm is to make the canary's versions the stable ones
    FINISHING = "finishing"  # everyone goes back to the stable track, Helm is to remove the canary
    ABORTING = "aborting"  # everyone goes back to the stable track, Helm is to roll back
    PROMOTED = "promoted"
    ABORTED = "aborted"


OVER: Final = frozenset({Phase.PROMOTED, Phase.ABORTED})


@dataclass(frozen=True)
class Judging:
    """What an automatic rollout is judged by."""

    comparisons: tuple[Mapping[str, Any], ...] = ()  # as `python -m rollout compare` wrote them
    probes: str = ""  # the probe set's URI and digest
    gateway: str = ""  # where probes are sent
    prometheus: str = ""  # its URL; empty: the pods themselves are read
    without: tuple[str, ...] = ()  # kinds of signals that the operator does without
    calls: int = 0  # of the canary after which a load signal is decided; 0: the judge's own number
    photos: int = 0  # compared before rare labels are let pass; 0: the judge's own number


@dataclass(frozen=True)
class State:
    """One rollout."""

    id: str  # one-time
    release: str
    canaries: Mapping[str, str]  # version by model
    before: int  # Helm's revision before the canary: what an abort restores; 0: Helm is not used
    document: int  # the revision that the release document had then
    full: Mapping[str, int]  # stable replicas by model, as they were
    started: datetime
    steps: tuple[int, ...] = STEPS
    shadow: float = 10.0  # percent of the stable track's calls that are copied to the canary
    automatic: bool = True
    judging: Judging = field(default_factory=Judging)
    chart: str = ""  # empty: that of the live release
    values: Mapping[str, Any] = field(default_factory=dict)  # the canaries' own, beside versions
    phase: Phase = Phase.STARTING
    revision: int = 0  # Helm's, which this phase rests on
    step: int = 0
    approved: bool = False  # somebody vouches for the step, whatever is measured
    record: Mapping[str, Any] = field(default_factory=dict)  # what the judge has gathered
    ordered: str = ""  # who wants it aborted
    reason: str = ""
    log: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self.phase in OVER

    @property
    def target(self) -> int:
        """The weight of this step."""
        return self.steps[self.step]

    def entering(self, phase: Phase, line: str, **changes: Any) -> "State":
        """The state in another phase, and a line of its log that says why."""
        return self.saying(line, phase=phase, reason=line, **changes)

    def saying(self, line: str, **changes: Any) -> "State":
        """The state with changes and a line of its log."""
        now = datetime.now(UTC).strftime("%H:%M:%S")
        return replace(self, log=(*self.log, f"{now} {line}")[-_LINES:], **changes)

    def text(self) -> str:
        """As it is kept."""
        return _states().dump_json(self).decode()


def read(text: str) -> State:
    """The state that was kept."""
    return _states().validate_json(text)


@cache
def _states() -> TypeAdapter[State]:
    return TypeAdapter(State)
