"""Reading: from increases of the metrics in docs/metrics.md to an observation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from math import inf
from typing import Final

from rollout.judge.counters import Series
from rollout.judge.observation import Count, Observation, Pairs, Times, Tracks
from rollout.judge.plan import CODES, OUTCOMES

# A gateway's outcomes of a feature that tell nothing of its model.
_NOT_TRIED: Final = frozenset({"skipped", "cancelled"})
# Ends of photos that models had a part in; what is shed or late before is the gateways' own.
_ASKED: Final = frozenset({"full", "partial", "failed"})
# Methods that predict, by the end of their names.
_PREDICTING: Final = ("/ClassifyImage", "/CaptionImage", "/DetectObjects")
_CANARY: Final = "canary"
_STABLE: Final = "stable"

Increases = Mapping[Series, float]


def observe(
    increases: Increases,
    probes: Mapping[str, Pairs] | None = None,
    missing: tuple[str, ...] = (),
) -> Observation:
    """What the increases since the last look say.

    Series of a model's pods need the labels `track` and `feature`, which their readers add.
    """
    return Observation(
        errors=dict((*_outcomes(increases), *_codes(increases))),
        times=dict(_times(increases)),
        partial=_partial(increases),
        agreement=_agreement(increases),
        probes=probes or {},
        missing=missing,
    )


def _outcomes(increases: Increases) -> Iterator[tuple[tuple[str, str], Tracks]]:
    """Errors as the gateways saw them, late answers and lost connections included."""
    calls = _counted(
        increases,
        "trilens_feature_seconds_count",
        lambda one: (one.label("feature"), one.label("lane"), one.label("outcome")),
        lambda one: one.label("outcome") not in _NOT_TRIED,
    )
    yield from _by_kind(calls, OUTCOMES)


def _codes(increases: Increases) -> Iterator[tuple[tuple[str, str], Tracks]]:
    """Errors by the gRPC code that a model's pods answered with."""
    calls = _counted(
        increases,
        "trilens_rpc_seconds_count",
        lambda one: (one.label("feature"), one.label("track"), one.label("code")),
        lambda one: bool(one.label("feature")) and one.label("method").endswith(_PREDICTING),
    )
    yield from _by_kind(calls, CODES)


def _by_kind(
    calls: Mapping[tuple[str, ...], int], kinds: tuple[str, ...]
) -> Iterator[tuple[tuple[str, str], Tracks]]:
    for feature in sorted({key[0] for key in calls}):

        def count(track: str, kind: str, feature: str = feature) -> Count:
            mine = {key[2]: some for key, some in calls.items() if key[:2] == (feature, track)}
            return Count(sum(mine.values()), mine.get(kind, 0))

        for kind in kinds:
            yield (feature, kind), Tracks(count(_CANARY, kind), count(_STABLE, kind))


def _times(increases: Increases) -> Iterator[tuple[str, Times]]:
    calls = _counted(
        increases,
        "trilens_feature_seconds_bucket",
        lambda one: (one.label("feature"), one.label("lane"), one.label("le")),
        lambda one: one.label("outcome") == "ok",
    )
    for feature in sorted({key[0] for key in calls}):
        edges = sorted({float(key[2]) for key in calls if key[0] == feature})
        by_edge = {
            track: [
                sum(
                    n
                    for key, n in calls.items()
                    if key[:2] == (feature, track) and float(key[2]) == edge
                )
                for edge in edges
            ]
            for track in (_CANARY, _STABLE)
        }
        if edges[-1] == inf:
            yield feature, Times(tuple(edges), _each(by_edge[_CANARY]), _each(by_edge[_STABLE]))


def _each(cumulative: list[int]) -> tuple[int, ...]:
    # Buckets of a page are read one after the other, while calls end: never less than none.
    before = (0, *cumulative[:-1])
    return tuple(max(0, some - less) for some, less in zip(cumulative, before, strict=True))


def _partial(increases: Increases) -> Tracks:
    answers = _counted(
        increases,
        "trilens_answers_total",
        lambda one: (one.label("lane"), one.label("completeness")),
        lambda one: one.label("completeness") in _ASKED,
    )

    def count(lane: str) -> Count:
        mine = {key[1]: some for key, some in answers.items() if key[0] == lane}
        return Count(sum(mine.values()), sum(mine.values()) - mine.get("full", 0))

    return Tracks(count(_CANARY), count(_STABLE))


def _agreement(increases: Increases) -> dict[tuple[str, str], Count]:
    photos = _counted(
        increases,
        "trilens_agreement_total",
        lambda one: (one.label("feature"), one.label("aspect"), one.label("outcome")),
    )
    counts: dict[tuple[str, str], Count] = {}
    for (feature, aspect, outcome), some in photos.items():
        more = Count(some, some if outcome == "different" else 0)
        counts[feature, aspect] = counts.get((feature, aspect), Count()) + more
    return counts


def _counted(
    increases: Increases,
    name: str,
    key: Callable[[Series], tuple[str, ...]],
    wanted: Callable[[Series], bool] = lambda _: True,
) -> Mapping[tuple[str, ...], int]:
    total: defaultdict[tuple[str, ...], float] = defaultdict(float)
    for series, increase in increases.items():
        if series.name == name and wanted(series):
            total[key(series)] += increase
    # Prometheus extrapolates: its increases are no whole numbers.
    return {one: round(some) for one, some in total.items()}
