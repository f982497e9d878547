"""Scenarios: which canaries are simulated, and what has to become of them.

Seeds, numbers and bounds stand here, before anything is run. Each fault is one of a canary that is
honestly retrained besides: it differs from the stable model in 5 % of everything, as its offline
comparison said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

import numpy as np

from rollout.judge import Outcome, Plan
from rollout.simulate.worlds import Load, Probed, Table, World, compared, table

CANARIES: Final = 1000
SEED: Final = 20_250_601
FALSE_ALARMS: Final = 0.01  # at most, of canaries that are as good as stated
CAUGHT: Final = 0.95  # at least, of those with a fault

CHURN: Final = 0.05  # what an honest new model differs in
COMPARED: Final = 1000  # photos of the offline comparison
PHOTOS: Final = 100  # compared live in each look
CALLS: Final = 5000  # of both tracks in each look
PROBES: Final = 2000
BUILT_IN: Final = 225  # photos for objects in the probe set that comes with the project
PATIENCE: Final = 60  # looks at a canary that is neither promoted nor rolled back

# A variant whose photos are the feature's, and which a faultless canary is made of.
_BASES: Final = {
    "objects": "shifted boxes",
    "attributes": "without smiling",
    "captions": "older version",
}
_LOAD: Final = Load(CALLS, wobble=0.2)
_BUSY: Final = Load(2 * CALLS, wobble=0.2)
_PROBED: Final = Probed(PROBES, churn=0.01)


@dataclass(frozen=True)
class Scenario:
    """One kind of canary."""

    name: str
    feature: str
    wanted: Outcome
    within: int  # looks until it has to be caught, or may be held
    counted: str  # what is counted: photos, calls, probes
    each: int  # of these in each look
    fault: str = ""  # a variant of the feature's table
    honest: str = ""  # a variant that the comparison was made with, too
    churn: float = CHURN
    load: Load | None = None
    probed: Probed | None = None
    photos: int = PHOTOS
    copies: int = 1
    healthy: Mapping[str, object] = field(default_factory=dict)  # what changes without the fault

    @property
    def most(self) -> int:
        """Of what is counted, when it has to be caught."""
        return self.within * self.each

    def draw(self, number: int) -> tuple[Plan, World]:
        """The canary of that number: its own offline comparison, and the world it meets."""
        variant = self.fault or self.honest
        found = table(self.feature, variant) if variant else _usual(self.feature)
        probes = self.probed.probes if self.probed else 0
        plan = _plan(self.feature, self.honest, self.churn, probes, self.copies, number)
        world = World(
            self.feature,
            photos=self.photos,
            found=found if self.photos else None,
            churn=self.churn,
            load=self.load,
            probed=self.probed,
            copies=self.copies,
        )
        return plan, world

    def without_fault(self) -> Scenario:
        """The same canary, honestly retrained and nothing else."""
        return replace(self, fault="", **self.healthy)  # type: ignore[arg-type]


@cache
def _usual(feature: str) -> Table:
    return table(feature, _BASES[feature]).unfaulted()


@cache  # many scenarios start from the same comparisons
def _plan(feature: str, honest: str, churn: float, probes: int, copies: int, number: int) -> Plan:
    rng = np.random.default_rng((SEED, number))
    found = table(feature, honest) if honest else _usual(feature)
    return Plan(
        features=(feature,),
        comparisons=(compared(feature, found, rng, COMPARED, churn),),
        probes={feature: probes} if probes else {},
        repeats=copies,
    )


def _good() -> Iterator[Scenario]:
    whole = Scenario(
        "an identical model",
        "objects",
        Outcome.PASS,
        within=PATIENCE,
        counted="photos",
        each=2 * PHOTOS,
        photos=2 * PHOTOS,
        churn=0.0,
        load=_BUSY,
        probed=replace(_PROBED, churn=0.0),
    )
    yield whole
    yield replace(whole, name="a retrained model that differs in 5 %", churn=CHURN, probed=_PROBED)
    for feature in ("objects", "attributes"):
        yield replace(
            whole,
            name=f"{feature} 1.1.0 after 1.0.0, as they differ",
            feature=feature,
            honest="older version",
            probed=_PROBED,
        )


def _seen_by_agreement() -> Iterator[Scenario]:
    for feature, fault, within in (
        ("objects", "shifted boxes", 5),
        ("objects", "swapped channels", 10),
        ("attributes", "swapped channels", 20),
        ("captions", "swapped channels", 20),
        ("objects", "without person", 5),
        ("objects", "without dog", 8),
        ("objects", "without bicycle", 60),
        ("attributes", "without smiling", 8),
        ("attributes", "without eyeglasses", 15),
    ):
        yield Scenario(
            f"{feature}: {fault}", feature, Outcome.FAIL, within, "photos", PHOTOS, fault
        )


def _seen_by_probes() -> Iterator[Scenario]:
    yield Scenario(
        "accuracy 2 points lower, 2,000 probes",
        "objects",
        Outcome.FAIL,
        within=5,
        counted="probes",
        each=PROBES // 5,
        photos=0,
        probed=Probed(PROBES, lost=0.02, churn=0.005),
        healthy={"probed": Probed(PROBES, churn=0.005)},
    )
    yield Scenario(
        "accuracy 10 points lower, built-in probes",
        "objects",
        Outcome.FAIL,
        within=5,
        counted="probes",
        each=BUILT_IN // 5,
        photos=0,
        probed=Probed(BUILT_IN, lost=0.1, churn=0.005),
        healthy={"probed": Probed(BUILT_IN, churn=0.005)},
    )


def _seen_by_load() -> Iterator[Scenario]:
    yield Scenario(
        "2 % of calls fail, where 0.1 % did",
        "objects",
        Outcome.FAIL,
        within=20,
        counted="calls",
        each=CALLS,
        photos=0,
        load=replace(_LOAD, canary_failing=0.02),
        healthy={"load": _LOAD},
    )
    yield Scenario(
        "twice as slow",
        "objects",
        Outcome.FAIL,
        within=20,
        counted="calls",
        each=CALLS,
        photos=0,
        load=replace(_LOAD, slowdown=2.0),
        healthy={"load": _LOAD},
    )


GOOD: Final = tuple(_good())
FAULTS: Final = (*_seen_by_agreement(), *_seen_by_probes(), *_seen_by_load())
