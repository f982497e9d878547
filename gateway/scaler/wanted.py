"""Wanted: what a ScaledObject's trigger asks the scaler for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from chassis.call import CANARY, STABLE
from chassis.errors import InvalidRequest, Violation

TRACKS: Final = (STABLE, CANARY)
_USUAL_TARGET: Final = "4"
_USUAL_ACTIVE_SECONDS: Final = "60"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A track of a feature, and when it has enough replicas."""

    feature: str
    track: str
    target: float  # photos under way for each replica
    active_seconds: float  # how long after the last photo there still counts as work

    @classmethod
    def of(cls, metadata: Mapping[str, str]) -> Self:
        """What the trigger's metadata says; raises InvalidRequest."""
        track = metadata.get("track", STABLE)
        target = _positive(metadata.get("target", _USUAL_TARGET))
        active_seconds = _positive(metadata.get("activeSeconds", _USUAL_ACTIVE_SECONDS))
        problems = {
            "feature": "" if metadata.get("feature") else "say which feature's pods are scaled",
            "track": "" if track in TRACKS else f"must be one of {', '.join(TRACKS)}",
            "target": "" if target else "must be a number above 0",
            "activeSeconds": "" if active_seconds else "must be a number above 0",
        }
        wrong = [Violation(f"metadata.{name}", text) for name, text in problems.items() if text]
        if wrong:
            raise InvalidRequest(*wrong)
        return cls(metadata["feature"], track, target, active_seconds)


def _positive(text: str) -> float:
    """The number; 0 for whatever is none, or is not above 0."""
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if 0 < number < math.inf else 0.0
