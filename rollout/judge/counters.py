"""Counters: from what processes say they have counted to what was counted since the last look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

_STARTED: Final = "process_start_time_seconds"


class Series(NamedTuple):
    """A counter of a metric."""

    name: str
    labels: tuple[tuple[str, str], ...]  # sorted

    def label(self, name: str) -> str:
        """The label's value; empty without one."""
        return dict(self.labels).get(name, "")


Samples = Mapping[Series, float]


@dataclass(frozen=True, slots=True)
class Scrape:
    """One process's metrics. A restarted container is another source: its counters began anew.

    `labels` are what the reader knows of it and its metrics do not say, such as its track.
    """

    source: str
    samples: Samples
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counters:
    """What each process had counted when it was last read.

    A process that cannot be read for a while keeps its place: what it counts meanwhile is not lost.
    """

    at: float  # seconds since 1970, of the last look; the first one only takes note
    samples: Mapping[str, Samples] = field(default_factory=dict)  # by source

    def look(self, scrapes: Iterable[Scrape], now: float) -> tuple[Counters, dict[Series, float]]:
        """The counters after this look, and the increase of every series since the last one.

        What a process counts between its last look and its end is lost with it; the gateways
        count the same calls.
        """
        known = dict(self.samples)
        increases: dict[Series, float] = {}
        for scrape in scrapes:
            had = known.get(scrape.source)
            for series, value in scrape.samples.items():
                if series.name.endswith(("_total", "_bucket", "_count", "_sum")):
                    grown = _increase(value, had, series, new=self._began_since(scrape))
                    whole = _labelled(series, scrape.labels)
                    increases[whole] = increases.get(whole, 0.0) + grown
            known[scrape.source] = scrape.samples
        return Counters(now, known), increases

    def _began_since(self, scrape: Scrape) -> bool:
        # By its name alone: through Prometheus it has labels of the scrape's.
        started = (value for series, value in scrape.samples.items() if series.name == _STARTED)
        return next(started, -inf) >= self.at


def read_samples(text: str) -> dict[Series, float]:
    """The samples of a metrics page."""
    return {
        Series(sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _increase(value: float, had: Samples | None, series: Series, *, new: bool) -> float:
    if had is None:
        # A process that is older than the last look has counted things from before it.
        return value if new else 0.0
    before = had.get(series, 0.0)
    return value - before if value >= before else value


def _labelled(series: Series, labels: Mapping[str, str]) -> Series:
    if not labels:
        return series
    return Series(series.name, tuple(sorted({**dict(series.labels), **labels}.items())))
