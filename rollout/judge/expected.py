"""How often two packages are expected to disagree: counted offline, or declared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from rollout.judge.bounds import upper
from rollout.judge.observation import Count

# Probability that any true share of one comparison lies above the bound that is taken for it.
DOUBT: Final = 0.002
# A label of which too little was seen to tell a broken class from an expected one is pooled.
UNKNOWN: Final = 0.7
# An aspect that differs so often anyway says nothing.
TOO_MUCH: Final = 0.85
REST: Final = "label:*"


class Aspect(BaseModel):
    """One aspect of two packages' answers to the same photos."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    photos: int = Field(ge=0, description="Photos that said something about it.")
    different: int = Field(ge=0, description="Those on which the two packages differ.")
    at_most: float = Field(ge=0, le=1, description="Upper bound of the share; what is expected.")


class Comparison(BaseModel):
    """What comparing two packages of one feature on the same photos has shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = Field(1, alias="schema", ge=1, le=1)
    feature: str
    stable: str = Field(description="Version of the package that serves.")
    canary: str = Field(description="Version of the one that is to replace it.")
    photos: int = Field(ge=0, description="Photos that both packages answered.")
    doubt: float = Field(gt=0, lt=1, description="Probability that any bound is too low.")
    repeats: float = Field(1.0, ge=1, description="Photos that may be copies of one another.")
    aspects: Mapping[str, Aspect]


def bounded(counts: Mapping[str, Count], repeats: float = 1.0) -> dict[str, Aspect]:
    """Each aspect with its bound; the doubt is shared evenly, so that it holds for all at once.

    Labels that are too rare to be judged one by one are there together, too, as `label:*`.
    """
    each = DOUBT / (len(counts) + 1)
    aspects = {name: _aspect(count, repeats, each) for name, count in sorted(counts.items())}
    rare = [counts[name] for name in aspects if is_label(name) and aspects[name].at_most >= UNKNOWN]
    if rare:
        aspects[REST] = _aspect(sum(rare, Count()), repeats, each)
    return aspects


def is_label(aspect: str) -> bool:
    """Whether the aspect is one label's."""
    return aspect.startswith("label:")


def unknown(comparison: Comparison) -> Iterator[tuple[str, Aspect]]:
    """Aspects that cannot be judged, neither one by one nor together with others."""
    aspects = comparison.aspects
    alone = REST not in aspects or aspects[REST].at_most >= UNKNOWN
    for name, aspect in aspects.items():
        label = is_label(name)
        known = aspect.at_most < (UNKNOWN if label else TOO_MUCH)
        if not known and name != REST and (alone or not label):
            yield name, aspect


def _aspect(count: Count, repeats: float, doubt: float) -> Aspect:
    at_most = upper(_thinned(count, repeats), doubt)
    return Aspect(photos=count.trials, different=count.events, at_most=at_most)


def _thinned(count: Count, repeats: float) -> Count:
    # Copies are no further evidence: as many independent photos, of the same share, rounded up.
    trials = int(count.trials / repeats)
    return Count(trials, min(trials, -int(-count.events // repeats)))
