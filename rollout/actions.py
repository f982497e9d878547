"""What a rollout may do next."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from rollout.state import State


class Values(StrEnum):
    """The release that Helm is to make."""

    CANARY = "canary"  # with the canary, at weight 0
    PROMOTED = "promoted"  # the canary's versions are the stable ones, too
    PLAIN = "plain"  # without a canary


@dataclass(frozen=True)
class Upgrade:
    """Helm makes another release."""

    values: Values
    weight: float = 0.0
    why: str = ""


@dataclass(frozen=True)
class Rollback:
    """Helm goes back."""

    revision: int
    why: str = ""


@dataclass(frozen=True)
class Scale:
    """A track of a model gets another number of pods."""

    model: str
    track: str
    replicas: int
    why: str = ""


@dataclass(frozen=True)
class Weigh:
    """An overlay is laid over the release."""

    weight: float
    shadow: float
    why: str = ""


@dataclass(frozen=True)
class Clear:
    """The overlay is taken away."""

    why: str = "no overlay is needed any more"


@dataclass(frozen=True)
class Sweep:
    """Objects of the canary that Helm has lost sight of are taken away."""

    why: str = "Helm was killed or failed in a rollback, and left the canary behind"


@dataclass(frozen=True)
class Enter:
    """The rollout comes to another state."""

    state: State

    @property
    def why(self) -> str:
        """The newest line of its log."""
        return self.state.log[-1] if self.state.log else ""


@dataclass(frozen=True)
class Wait:
    """Nothing for now; look again."""

    why: str
    held: bool = False  # whether somebody has to do something, or calls have to come


@dataclass(frozen=True)
class Rest:
    """Nothing more until somebody asks for it."""

    why: str


@dataclass(frozen=True)
class Stop:
    """Something is not as it should be: a human decides."""

    why: str


Action: TypeAlias = Upgrade | Rollback | Scale | Weigh | Clear | Sweep | Enter | Wait | Rest | Stop
