"""What is seen of a release at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.release_document import Overlay, ReleaseDocument
from rollout.judge import Verdict


@dataclass(frozen=True)
class HelmRevision:
    """The newest revision that Helm recorded."""

    number: int
    status: str  # deployed, failed, pending-upgrade ...
    stuck: bool = False  # pending for longer than a living Helm would take


@dataclass(frozen=True)
class Release:
    """The release document, and what an overlay has to name to count for it."""

    document: ReleaseDocument
    uid: str
    resource_version: str
    canaries: Mapping[str, str]  # version by model
    stables: Mapping[str, str]  # version by model, of those with a canary; else by feature


@dataclass(frozen=True)
class Pods:
    """A Deployment's replicas."""

    wanted: int
    ready: int
    settled: bool  # all of them are of its newest template, and ready
    waiting: str = ""  # why a pod is not running, in Kubernetes' words
    no_gpu: bool = False  # ... and whether that is for want of a GPU


@dataclass(frozen=True)
class Gateway:
    """What one gateway has taken."""

    name: str
    rollout: str = ""
    weight: float | None = None  # unknown: it could not be read
    problem: str = ""  # why not


@dataclass(frozen=True)
class Observed:
    """Everything that the next action follows from."""

    release: Release
    helm: HelmRevision | None = None  # none: Helm does not own this release
    overlay: Overlay | None = None
    overlay_version: str = ""  # its object's, whether or not it can be read; empty: there is none
    stable: Mapping[str, Pods] = field(default_factory=dict)  # by model
    canary: Mapping[str, Pods] = field(default_factory=dict)
    gateways: tuple[Gateway, ...] = ()
    take_from_stable: bool = False
    max_extra: int | None = None
    verdict: Verdict | None = None

    @property
    def laid(self) -> bool:
        """Whether the overlay counts."""
        return self.overlay is not None and (self.overlay.uid, self.overlay.resource_version) == (
            self.release.uid,
            self.release.resource_version,
        )

    @property
    def weight(self) -> float:
        """The weight in effect."""
        if not self.release.document.canary:
            return 0.0
        if self.overlay is not None and self.laid:
            return self.overlay.weight
        return self.release.document.weight

    @property
    def shadow(self) -> float:
        """The share of the stable track's calls that is copied."""
        laid = self.overlay if self.laid else None
        return laid.shadow if laid else self.release.document.shadow

    def taken(self, weight: float) -> tuple[Gateway, ...]:
        """Gateways that route by this weight."""
        return tuple(one for one in self.gateways if one.weight == weight)
