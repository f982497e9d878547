"""Release: the weights and canaries that count now, from what was last read of two documents."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from chassis.metrics import RELEASE_PROBLEM
from gateway.release_document import (
    Canary,
    MalformedDocument,
    Overlay,
    ReleaseDocument,
    read_overlay,
    read_release,
)

logger = logging.getLogger(__name__)

RELEASE: Final = "release"
OVERLAY: Final = "overlay"
MISSING: Final = "missing"
MALFORMED: Final = "malformed"
UNREACHABLE: Final = "unreachable"
_PROBLEMS: Final = (MISSING, MALFORMED, UNREACHABLE)

D = TypeVar("D")


class Stored(NamedTuple):
    """One state of the object that holds a document; a file has neither uid nor version."""

    text: str
    uid: str = ""
    resource_version: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """What counts for calls; without a release, one lane."""

    revision: int = 0  # Helm's
    rollout: str = ""  # whose weights count in place of the revision's own, if any
    weight: float = 0.0  # per cent of calls on the canary lane
    shadow: float = 0.0  # per cent of stable calls that are copied to the canary
    canary: Mapping[str, Canary] = field(default_factory=dict)  # by feature

    @property
    def versions(self) -> str:
        """The canary's versions, such as "captions=2.0.0,objects=1.1.0"."""
        return ",".join(sorted(f"{name}={one.version}" for name, one in self.canary.items()))


class Documents:
    """What was last read of a release and its overlay; a bad document leaves the last good one."""

    def __init__(self) -> None:
        self._release: tuple[Stored, ReleaseDocument] | None = None
        self._overlay: Overlay | None = None
        self._problems = {RELEASE: Problem(RELEASE), OVERLAY: Problem(OVERLAY)}

    def read_release(self, stored: Stored | None) -> None:
        """Takes a state of the release; None: there is none."""
        if stored is None:
            self._problems[RELEASE].begins(MISSING, "it does not exist")
        elif (document := self._read(RELEASE, stored, read_release)) is not None:
            self._release = stored, document

    def read_overlay(self, stored: Stored | None) -> None:
        """Takes a state of the overlay; None: there is none, as there mostly is."""
        if stored is None:
            self._overlay = None
            self._problems[OVERLAY].ends()
        elif (overlay := self._read(OVERLAY, stored, read_overlay)) is not None:
            self._overlay = overlay

    def unreachable(self, document: str, why: str) -> None:
        """Notes that nobody can tell how that document is now."""
        self._problems[document].begins(UNREACHABLE, why)

    def release(self) -> Release:
        """What counts now."""
        if self._release is None:
            return Release()
        stored, document = self._release
        overlay = self._overlay
        if overlay is None or (overlay.uid, overlay.resource_version) != stored[1:]:
            overlay = None
        weights = overlay or document
        return Release(
            revision=document.revision,
            rollout=overlay.rollout if overlay else "",
            weight=weights.weight,
            shadow=weights.shadow,
            canary=document.canary,
        )

    def _read(self, name: str, stored: Stored, parse: Callable[[str], D]) -> D | None:
        try:
            document = parse(stored.text)
        except MalformedDocument as error:
            self._problems[name].begins(MALFORMED, str(error))
            return None
        self._problems[name].ends()
        return document


class Problem:
    """What is wrong with a document: once in the log, and for as long as it lasts as a gauge."""

    def __init__(self, document: str) -> None:
        self._document = document
        self._now: tuple[str, str] | None = None
        self._show()

    def begins(self, kind: str, why: str) -> None:
        """There is this problem; said once, however often it is met."""
        if self._now != (kind, why):
            self._now = kind, why
            logger.warning("%s is %s, the last good one counts: %s", self._document, kind, why)
            self._show()

    def ends(self) -> None:
        """There is none."""
        if self._now is not None:
            self._now = None
            logger.info("%s can be read again", self._document)
            self._show()

    def _show(self) -> None:
        for kind in _PROBLEMS:
            here = self._now is not None and self._now[0] == kind
            RELEASE_PROBLEM.labels(self._document, kind).set(here)
