"""What happened to a canary and to the stable track between two looks."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Count:
    """Some things, and how many of them were of the kind that is watched."""

    trials: int = 0
    events: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.trials + other.trials, self.events + other.events)

    @property
    def share(self) -> float:
        """Of the trials; 0 without any."""
        return self.events / self.trials if self.trials else 0.0


@dataclass(frozen=True, slots=True)
class Tracks:
    """The same count of both tracks, over the same time."""

    canary: Count = Count()
    stable: Count = Count()

    def __add__(self, other: "Tracks") -> "Tracks":
        return Tracks(self.canary + other.canary, self.stable + other.stable)


@dataclass(frozen=True, slots=True)
class Times:
    """Calls of both tracks by how long they took: how many ended between one edge and the next."""

    edges: tuple[float, ...]  # seconds, rising; the last is infinite
    canary: tuple[int, ...]  # calls in each bucket, not cumulative
    stable: tuple[int, ...]

    def above(self, edge: float) -> Tracks:
        """Calls that took longer than that, which has to be one of the edges."""
        cut = self.edges.index(edge) + 1
        return Tracks(
            Count(sum(self.canary), sum(self.canary[cut:])),
            Count(sum(self.stable), sum(self.stable[cut:])),
        )


@dataclass(frozen=True, slots=True)
class Pairs:
    """Labelled probes that both tracks were asked, by who was right."""

    asked: int = 0
    lost: int = 0  # stable right, canary wrong
    won: int = 0  # canary right, stable wrong


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything counted between two looks; what is not there was not seen.

    `errors` is by feature and kind: a gRPC code, or an outcome as the gateway names it. Trials
    are all calls of that feature. `agreement` is by feature and aspect: photos that were compared,
    and those of them that differ.
    """

    errors: Mapping[tuple[str, str], Tracks] = field(default_factory=dict)
    times: Mapping[str, Times] = field(default_factory=dict)  # by feature, of answers
    partial: Tracks = Tracks()  # photos answered, and those of them that were not in full
    agreement: Mapping[tuple[str, str], Count] = field(default_factory=dict)
    probes: Mapping[str, Pairs] = field(default_factory=dict)  # by feature
    missing: tuple[str, ...] = ()  # what should have been read and was not, in words
